'use strict'

const { number } = require('./figures')

// The goals for the figures. A goal is omitted if a run has not measured its figures.
const GOALS = [
  best('roundtrip', 'p50', 6, 'one request at a time: p50 at most 1/6 of the best other'),
  best('roundtrip', 'p99', 1, 'one request at a time: p99 no worse than the best other'),
  floor('roundtrip', 'p50', 1, 'one request at a time, busyPoll: 0: p50 at most the floor’s', 'ipcio-nopoll'),
  floor('roundtrip-one-cpu', 'p50', 1 / 1.1, 'both ends on one CPU: p50 at most 1.1 times the floor’s'),
  floor('relay', 'p50', 1, 'client to client: faster than the floor relaying'),
  relayed(2.5, 'client to client: at most 2.5 times the direct one'),
  withBound(best('send', 'rate', 3, 'one-way: 3 times the best library’s rate', 'library'), 'library'),
  withBound(floor('send', 'rate', 2.5, 'one-way: 2.5 times the floor’s rate'), 'floor'),
  best('flight', 'rate', 3, '1,000 in flight: 3 times the best library’s rate', 'library'),
  floor('flight', 'rate', 2, '1,000 in flight: 2 times the floor’s rate'),
  ...['1k', '16k', '1m', '64m'].map(size =>
    floor(`json-${size}`, 'bytes', 1, `JSON of ${size.toUpperCase()}B: at least the floor’s bytes a second`),
  ),
  ...['1m', '64m'].flatMap(size => [
    best(
      `bytes-${size}`,
      'bytes',
      2,
      `Buffers of ${size.toUpperCase()}B: 2 times the best library’s bytes a second`,
      'library',
    ),
    bare(size, 0.5, `Buffers of ${size.toUpperCase()}B: at least half of what a bare socket carries`),
  ]),
  best('broadcast', 'rate', 3, 'broadcast: 3 times the best library’s rate', 'library'),
  atMost('crowd', 'memory', 16, 'KB', 'a crowd: at most 16 KB of the server’s memory each'),
  atMost('crowd', 'ratio', 1.2, '×', 'a crowd: one more client within 1.2 times of being alone'),
  atMost('queue', 'native', 100, 'B', 'a queue: at most 100 bytes each outside JavaScript above the text'),
  atMost('queue', 'heap', 300, 'B', 'a queue: at most 300 bytes each in JavaScript'),
  atLeast('queue', 'rate', 500_000, '/s', 'a queue: drained at 500,000 a second'),
  atMost('idle', 'calls', 0, '', 'idle: no wake-ups'),
  ...[100, 1000].map(rate =>
    against(
      `paced-${rate}`,
      'busy',
      1 / 1.1,
      `${number(rate)} round trips a second: at most 1.1 times the CPU time of busyPoll: 0`,
    ),
  ),
  atMost('startup', 'time', 10, 'ms', 'require(): at most 10 ms'),
  atMost('startup', 'binary', 2, 'MB', 'binary: under 2 MB'),
]

function check(results) {
  return GOALS.map(goal => goal(results)).filter(Boolean)
}

// `times` times better than each of the others, of one kind or of any.
function best(workload, key, times, text, kind) {
  return ({ workloads: tables, implementations }) => {
    const others = Object.keys(tables[workload]?.implementations ?? {}).filter(
      name => implementations[name].kind !== 'ours' && (!kind || implementations[name].kind === kind),
    )
    const compared = others.map(name => better(tables[workload], key, 'ipcio', name)).filter(Number.isFinite)
    if (compared.length === 0) return undefined
    return verdict(text, Math.min(...compared), times)
  }
}

// Adds the bound to the measured ratio: what it would be if the messages were only made and not sent.
function withBound(goal, kind) {
  return results => {
    const found = goal(results)
    const others = Object.keys(results.workloads.send?.implementations ?? {}).filter(
      name => results.implementations[name].kind === kind,
    )
    const rates = others.map(name => median(results.workloads.send, 'rate', name)).filter(Number.isFinite)
    const most = results.limit?.unsent?.median / Math.max(...rates)
    if (!found || !Number.isFinite(most)) return found
    return { ...found, measured: `${found.measured} (${number(most)}× if none were sent)` }
  }
}

function floor(workload, key, times, text, ours = 'ipcio') {
  return ({ workloads: tables }) => verdict(text, better(tables[workload], key, ours, 'floor'), times)
}

function against(workload, key, times, text) {
  return ({ workloads: tables }) =>
    verdict(text, better(tables[workload], key, 'ipcio', 'ipcio-nopoll'), times)
}

function bare(size, share, text) {
  return results => {
    const figure = median(results.workloads[`bytes-${size}`], 'bytes', 'ipcio')
    const limit = results.limit?.stream?.[size]?.median
    if (!Number.isFinite(figure / limit)) return undefined
    return { text, met: figure / limit >= share, measured: `${number((figure / limit) * 100)} %` }
  }
}

// With fewer CPUs than processes, the figure shows the scheduler and not the cost of the relay.
function relayed(times, text) {
  return ({ workloads: tables, run }) => {
    const figure = median(tables.relay, 'p50', 'ipcio') / median(tables.roundtrip, 'p50', 'ipcio')
    if (!Number.isFinite(figure)) return undefined
    if (run.places.free < 3) return { text, measured: `untested (${number(figure)}×): it takes three CPUs` }
    return { text, met: figure <= times, measured: `${number(figure)}×` }
  }
}

function atMost(workload, key, most, unit, text) {
  return ({ workloads: tables }) => {
    const figure = median(tables[workload], key, 'ipcio')
    return Number.isFinite(figure)
      ? { text, met: figure <= most, measured: `${number(figure)} ${unit}`.trim() }
      : undefined
  }
}

function atLeast(workload, key, least, unit, text) {
  return ({ workloads: tables }) => {
    const figure = median(tables[workload], key, 'ipcio')
    return Number.isFinite(figure)
      ? { text, met: figure >= least, measured: `${number(figure)} ${unit}`.trim() }
      : undefined
  }
}

function verdict(text, measured, times) {
  if (!Number.isFinite(measured)) return undefined
  return { text, met: measured >= times, measured: `${number(measured)}×` }
}

// How many times better `ours` is than `other`: the median over the rounds of the ratio in each.
function better(table, key, ours, other) {
  const column = table?.columns.find(one => one.key === key)
  const mine = table?.implementations[ours]?.samples
  const theirs = table?.implementations[other]?.samples
  if (!mine || !theirs) return NaN
  const ratios = mine
    .map((sample, round) =>
      column.better === 'less' ? theirs[round]?.[key] / sample[key] : sample[key] / theirs[round]?.[key],
    )
    .filter(Number.isFinite)
    .sort((a, b) => a - b)
  return ratios[ratios.length >> 1] ?? NaN
}

const median = (table, key, implementation) =>
  table?.implementations[implementation]?.figures[key]?.median ?? NaN

module.exports = { check }
