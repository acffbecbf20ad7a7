'use strict'

const { now, nextTurn, pause } = require('../clock')
const { meet, metered } = require('./sides')
const { small } = require('./message')

const PER_TURN = 1000
const PATIENCE = 300 // ms for promises that are still open when the server has everything

const send = {
  name: 'send',
  essential: true,
  title: `One-way messages, ${PER_TURN.toLocaleString('en')} a turn, each promise awaited in the end`,
  feature: 'send',
  columns: [
    { key: 'rate', label: 'messages/s', unit: '/s', better: 'more' },
    { key: 'cpu', label: 'CPU each', unit: 'µs', better: 'less' },
    { key: 'unsettled', label: 'promises never settled', unit: '', better: 'less', sparse: true },
    { key: 'disordered', label: 'out of order', unit: '', better: 'less', sparse: true },
  ],
  async measure(group, { places, quick }) {
    const sides = await meet(group, places, { uses: 'send' })
    const run = quick
      ? { least: 10_000, most: 60_000, time: 100 }
      : { least: 50_000, most: 1_000_000, time: 700 }
    let first = 0
    let sample = await batch(sides, first, run.least)
    // Two runs to warm up. The second one also tells how many messages make a run of the wanted length.
    first += run.least
    sample = await batch(sides, first, run.least)
    first += run.least
    const count = Math.min(run.most, Math.max(run.least, Math.round((sample.rate * run.time) / 1000)))
    return metered(sides, () => batch(sides, first, count))
  },
}

async function batch({ server, client }, first, count) {
  const arrival = server.call('sides.received', { total: first + count })
  const { start } = await client.call('send.send', { first, count })
  const { at, disordered } = await arrival
  const { settled, unsettled } = await client.call('send.settled')
  const end = Math.max(at, settled)
  return { rate: (count / (end - start)) * 1000, messages: count, disordered, unsettled }
}

const parts = {
  async send(here, { first, count }) {
    const { client } = here
    const promises = []
    const start = now()
    for (let sent = 0; sent < count; ) {
      for (const end = Math.min(sent + PER_TURN, count); sent < end; sent++) {
        const promise = client.send(small(first + sent))
        if (promise !== undefined) promises.push(promise)
      }
      await nextTurn()
    }
    here.open = promises.length
    here.settling = settle(here, promises)
    return { start }
  },

  async settled(here) {
    const settled = await Promise.race([here.settling, pause(PATIENCE)])
    return { settled: settled ?? 0, unsettled: here.open }
  },
}

async function settle(here, promises) {
  for (const promise of promises) {
    await promise
    here.open--
  }
  return now()
}

module.exports = { workloads: [send], parts }
