'use strict'

const { nextTurn, now } = require('../clock')
const { small } = require('./message')

const MESSAGES = 1_000_000
const PER_TURN = 1000

const queue = {
  name: 'queue',
  title: `${MESSAGES.toLocaleString('en')} messages queued while the server is away, then drained`,
  feature: 'queue',
  limit: 120_000,
  columns: [
    { key: 'rate', label: 'drained/s', unit: '/s', better: 'more' },
    { key: 'above', label: 'memory each above the text', unit: 'B', better: 'less' },
    { key: 'native', label: 'of it outside JavaScript', unit: 'B', better: 'less' },
    { key: 'heap', label: 'JavaScript heap each', unit: 'B', better: 'less' },
    { key: 'queueing', label: 'time to queue each', unit: 'µs', better: 'less' },
    { key: 'disordered', label: 'out of order', unit: '', better: 'less', sparse: true },
  ],
  async measure(group, { places, quick }) {
    const count = quick ? 50_000 : MESSAGES
    const { implementation } = group
    const client = await group.start('client', places.client)
    await client.call('queue.connect', { path: group.path })
    const before = await client.call('sides.memory')
    const { text, time } = await client.call('queue.queue', { count })
    const after = await client.call('sides.memory')
    const server = await group.start('server', places.server)
    await server.call('queue.count')
    const arrival = server.call('sides.received', { total: count })
    const settling = client.call('queue.settled')
    await server.call('sides.serve', { path: group.path, uses: 'queue', answer: 'echo' })
    const { at, first, disordered } = await arrival
    const { settled } = await settling
    // The benchmark itself keeps the promises in an array: 8 bytes each.
    const heap = (after.heapUsed - before.heapUsed) / count - 8
    const all = (after.rss - before.rss) / count - 8
    // Implementations in JavaScript keep the text in the heap, native ones outside of it.
    const outside = all - heap - (implementation.kind === 'ours' ? text : 0)
    return {
      rate: (count / (Math.max(at, settled) - first)) * 1000,
      above: all - text,
      native: Math.max(0, outside),
      heap,
      queueing: (time * 1000) / count,
      disordered,
      messages: count,
    }
  },
}

const parts = {
  // Does not wait, as there is no server yet.
  async connect(here, { path }) {
    here.client = await here.implementation.connect({ path, name: 'client', uses: 'queue', wait: false })
    for (let i = 0; i < 100; i++) small(i)
  },

  async queue(here, { count }) {
    here.promises = new Array(count)
    const start = performance.now()
    let text = 0
    for (let sent = 0; sent < count; ) {
      for (const end = Math.min(sent + PER_TURN, count); sent < end; sent++) {
        here.promises[sent] = here.client.send(small(sent))
      }
      await nextTurn()
    }
    const time = performance.now() - start
    for (let i = 0; i < count; i++) text += JSON.stringify(small(i)).length
    return { text: text / count, time }
  },

  async settled(here) {
    for (const promise of here.promises) await promise
    return { settled: now() }
  },

  count(here) {
    const { Counter } = require('./sides')
    here.counter = new Counter()
  },
}

module.exports = { workloads: [queue], parts }
