'use strict'

const { nextTurn, now } = require('../clock')
const { ProcessGroup } = require('../processes')
const { median } = require('../statistics')
const { meet } = require('./sides')
const { small } = require('./message')

const PER_TICK = 1000

// A cost by growing load. The figure in the table is the cost of the last point divided by that of the cheapest
// point before it. The plot shows all points.
const flat = [
  curve({
    name: 'flat-queued',
    title: 'Cost of a one-way message, by how many are sent at once',
    axis: 'messages sent at once',
    unit: 'µs a message',
    points: { full: [1, 10, 100, 1000, 10_000, 100_000, 1_000_000], quick: [1, 100, 10_000] },
    implementations: ['floor', 'ipcio', 'ipcio-thread'],
    async series(parent, points, { places }) {
      return withGroup(parent, async group => {
        const { client } = await meet(group, places, { uses: 'send' })
        const costs = []
        await client.call('flat.queued', { count: 1000, times: 50 })
        for (const count of points) {
          costs.push(
            await client.call('flat.queued', {
              count,
              times: Math.max(3, Math.min(300, 100_000 / count)),
            }),
          )
        }
        return costs
      })
    },
  }),
  curve({
    name: 'flat-clients',
    title: 'Round trip, by how many clients are connected',
    axis: 'clients connected',
    unit: 'µs a round trip',
    points: { full: [1, 10, 100, 1000, 10_000], quick: [1, 10, 100] },
    implementations: ['floor', 'ipcio', 'ipcio-thread'],
    async series(parent, points, { places, quick }) {
      return withGroup(parent, async group => {
        const { client } = await meet(group, places, { uses: 'crowd' })
        const others = await group.start('crowd', places.client)
        const costs = []
        let connected = 1
        for (const count of points) {
          await others.call('crowd.connect', { path: group.path, from: connected, to: count })
          connected = count
          costs.push(
            (
              await client.call(
                'roundtrip.pingPong',
                quick ? { warm: 200, time: 50 } : { warm: 2000, time: 500 },
              )
            ).p50,
          )
        }
        return costs
      })
    },
  }),
  curve({
    name: 'flat-handlers',
    title: 'Request, by how many handlers the server has',
    axis: 'handlers',
    unit: 'µs a request, 100 in flight',
    points: { full: [1, 10, 100, 1000, 10_000], quick: [1, 10, 100] },
    implementations: ['ipcio', 'ipcio-thread'],
    async series(parent, points, { places, quick }) {
      const costs = []
      for (const commands of points) {
        const cost = await withGroup(parent, async group => {
          const { client } = await meet(group, places, { uses: 'handlers', commands })
          await client.call('flat.commands', { commands, total: quick ? 2000 : 20_000 })
          return client.call('flat.commands', { commands, total: quick ? 5000 : 100_000 })
        })
        costs.push(cost)
      }
      return costs
    },
  }),
]

function curve({ series, points, unit, ...rest }) {
  return {
    ...rest,
    unit,
    feature: 'roundtrip',
    rounds: 3,
    limit: 180_000,
    columns: [
      { key: 'growth', label: 'last / cheapest before', unit: '×', better: 'less' },
      { key: 'last', label: 'last', unit: 'µs', better: 'less' },
    ],
    async measure(group, how) {
      const at = how.quick ? points.quick : points.full
      const costs = await series(group, at, how)
      const last = costs.at(-1)
      return {
        points: at.map((x, i) => [x, costs[i]]),
        last,
        growth: last / Math.min(...costs.slice(0, -1)),
      }
    },
  }
}

async function withGroup(parent, use) {
  const group = await ProcessGroup.open(parent.implementation, parent)
  try {
    return await use(group)
  } finally {
    await group.stop()
  }
}

const parts = {
  // Sends `count` messages as fast as possible, until the last one is acknowledged.
  async queued(here, { count, times }) {
    here.sent ??= 0
    const costs = []
    for (let i = 0; i < times; i++) {
      const start = now()
      let last
      for (let sent = 0; sent < count; ) {
        for (const end = Math.min(sent + PER_TICK, count); sent < end; sent++)
          last = here.client.send(small(here.sent++))
        if (sent < count) await nextTurn()
      }
      await last
      costs.push(((now() - start) * 1000) / count)
    }
    return median(costs)
  },

  async commands({ client }, { commands, total }) {
    const start = now()
    let asked = 0
    const asker = async () => {
      while (asked < total) {
        const n = asked++
        await client.command(`command${(n * 7919) % commands}`, small(n))
      }
    }
    await Promise.all(Array.from({ length: 100 }, asker))
    return ((now() - start) * 1000) / total
  },
}

module.exports = { workloads: flat, parts }
