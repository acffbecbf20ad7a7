'use strict'

const { Crew } = require('./crew')
const goals = require('./goals')
const limit = require('./limit')
const { canPin, facts, places } = require('./machine')
const { Progress } = require('./progress')
const report = require('./report')
const { median, summary } = require('./statistics')

const ROUNDS = 5
const LIMIT = 40_000 // ms for a sample
const QUICK_LIMIT = 15_000
const OURS = 'ipcio'

// Measures everything that was chosen and prints each table when it is complete. `keep` gets what there is so
// far, as a run that is cut off would lose an hour.
async function measureAll({ traffic, peers }, { quick, rounds }, keep) {
  const started = performance.now()
  const results = {
    machine: facts(),
    run: { quick, rounds: rounds ?? (quick ? 1 : ROUNDS), pinned: canPin(), places: places() },
    peers: {},
    traffic: {},
  }
  const available = peers.filter(peer => usable(peer))
  for (const { name, label, kind, inOrder } of peers) results.peers[name] = { label, kind, inOrder }
  process.stdout.write(report.heading(results))
  results.limit = limit.measure(results.run.places, results.run)
  process.stdout.write(report.limits(results))

  const progress = new Progress(traffic.length)
  const shared = {}
  for (const one of traffic) {
    if (quick && one.slow) continue
    const how = { places: results.run.places, quick, shared }
    const samples = await repeat(
      one,
      available,
      how,
      rounds ?? (quick ? 1 : (one.rounds ?? ROUNDS)),
      progress,
    )
    const table = tabulate(one, samples)
    results.traffic[one.name] = table
    process.stdout.write(report.table(table, results))
    keep(results)
  }
  progress.end()
  results.run.seconds = Math.round((performance.now() - started) / 1000)
  results.goals = quick ? [] : goals.check(results) // a quick run's figures prove nothing
  process.stdout.write(report.ending(results))
  return results
}

// In every round each peer once, so that what is compared was measured within moments; each round
// starts with another, so that none always follows the same.
async function repeat(one, available, how, rounds, progress) {
  const rows = available.filter(peer => takesPart(peer, one, how))
  const peers = rows.filter(peer => peer.features.includes(one.feature))
  const samples = new Map(rows.map(peer => [peer.name, []]))
  const missing = one.available?.()
  progress.begin(one, missing ? 0 : rounds * peers.length)
  if (missing) return new Map(peers.map(peer => [peer.name, [{ error: missing }]]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(i + round) % peers.length]
      const taken = samples.get(peer.name)
      progress.step(peer, round, rounds)
      taken.push(isHopeless(taken) ? { error: 'not tried again' } : await sample(one, peer, how))
    }
  }
  return samples
}

// What failed twice, or took too long once, is not tried for the rest of the rounds.
const isHopeless = taken => taken.some(({ late }) => late) || taken.filter(({ error }) => error).length > 1

// A quick run measures everybody for what the picture shows, the rest for ours and the floor only.
function takesPart(peer, one, { quick }) {
  if (one.peers && !one.peers.includes(peer.name)) return false
  return !quick || one.essential || peer.kind === 'floor' || peer.name === OURS
}

async function sample(one, peer, how) {
  const crew = await Crew.open(peer)
  const patience = how.quick ? QUICK_LIMIT : (one.limit ?? LIMIT)
  let timer
  try {
    const late = new Promise(resolve => {
      timer = setTimeout(resolve, patience, { error: `not done in ${patience / 1000} s`, late: true })
    })
    const measured = Promise.resolve(one.measure(crew, how))
    measured.catch(() => {}) // of one that was late and then stopped
    return await Promise.race([measured, late, crew.failure])
  } catch (error) {
    return { error: error.message }
  } finally {
    clearTimeout(timer)
    await crew.stop()
  }
}

function tabulate({ name, title, columns, axis, unit }, samples) {
  const [main] = columns
  const table = { name, title, columns, axis, unit, peers: {} }
  const ours = samples.get(OURS)
  for (const [peer, taken] of samples) {
    const good = taken.filter(one => !one.error)
    const row = { figures: {}, samples: taken }
    table.peers[peer] = row
    if (taken.length === 0) continue // it has no such thing
    if (good.length === 0) {
      row.missing = taken[0].error
      continue
    }
    for (const { key } of columns) {
      const values = good.map(one => one[key]).filter(value => Number.isFinite(value))
      if (values.length > 0) row.figures[key] = summary(values)
    }
    const ratios = taken
      .map((theirs, round) => ratio(main, ours?.[round]?.[main.key], theirs[main.key]))
      .filter(Number.isFinite)
    if (peer !== OURS && ratios.length > 0) row.ratio = summary(ratios)
    const points = good.filter(one => one.points)
    if (points.length > 0) {
      row.points = points[0].points.map(([x], i) => [x, median(points.map(one => one.points[i][1]))])
    }
  }
  return table
}

// How many times better ours is, within one round.
const ratio = ({ better }, ours, theirs) => (better === 'less' ? theirs / ours : ours / theirs)

function usable(peer) {
  const why = peer.available()
  if (why) process.stdout.write(`${peer.label} is left out: ${why}\n`)
  return !why
}

module.exports = { measureAll }
