'use strict'

const { meet } = require('./sides')

const CLIENTS = 10_000
const AT_ONCE = 100

const crowd = {
  name: 'crowd',
  title: `${CLIENTS.toLocaleString('en')} clients connected and idle`,
  feature: 'crowd',
  limit: 120_000,
  columns: [
    { key: 'memory', label: "server's memory each", unit: 'KB', better: 'less' },
    { key: 'ratio', label: 'round trip of one more / alone', unit: '×', better: 'less' },
    { key: 'p50', label: 'p50 of one more', unit: 'µs', better: 'less' },
    { key: 'alone', label: 'p50 alone', unit: 'µs', better: 'less' },
  ],
  async measure(group, { places, quick }) {
    const clients = quick ? 500 : CLIENTS
    const { server, client } = await meet(group, places, { uses: 'crowd' })
    const others = await group.start('crowd', places.client)
    const run = quick ? { warm: 500, time: 100 } : { warm: 3000, time: 1000 }
    const alone = await client.call('roundtrip.pingPong', run)
    const before = await server.call('sides.memory')
    await others.call('crowd.connect', { path: group.path, from: 0, to: clients })
    const after = await server.call('sides.memory')
    const among = await client.call('roundtrip.pingPong', run)
    return {
      memory: (after.rss - before.rss) / clients / 1024,
      ratio: among.p50 / alone.p50,
      p50: among.p50,
      alone: alone.p50,
      clients,
    }
  },
}

const parts = {
  async connect(here, { path, from, to }) {
    here.crowd ??= []
    const connect = i =>
      here.implementation.connect({
        path,
        name: `idle${i}`,
        uses: 'crowd',
        answer: data => data,
        receive: () => {},
      })
    while (from < to) {
      const group = Array.from({ length: Math.min(AT_ONCE, to - from) }, () => connect(from++))
      here.crowd.push(...(await Promise.all(group)))
    }
  },
}

module.exports = { workloads: [crowd], parts, CLIENTS }
