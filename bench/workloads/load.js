'use strict'

const { ProcessGroup } = require('../processes')
const { byName } = require('../implementations')
const { latencies } = require('../statistics')
const { meet, metered } = require('./sides')
const { small } = require('./message')

const COLUMNS = [
  { key: 'p50', label: 'p50', unit: 'µs', better: 'less' },
  { key: 'p99', label: 'p99', unit: 'µs', better: 'less' },
  { key: 'p999', label: 'p99.9', unit: 'µs', better: 'less' },
  { key: 'rate', label: 'requests/s', unit: '/s', better: 'more' },
  { key: 'cpu', label: 'CPU each', unit: 'µs', better: 'less' },
]

const load = {
  name: 'load',
  title: 'Latency under load: requests at half of the maximum rate of each, open loop',
  feature: 'flight',
  columns: COLUMNS,
  async measure(group, how) {
    const sides = await meet(group, how.places, { uses: 'flight' })
    return openLoop(sides, (await maximum(sides, how)) / 2, how)
  },
}

const sameLoad = {
  name: 'load-same',
  slow: true,
  title: "Latency under load: everybody at half of the floor's maximum rate, open loop",
  feature: 'flight',
  columns: COLUMNS,
  async measure(group, how) {
    how.shared.floorRate ??= await floorMaximum(group, how)
    const sides = await meet(group, how.places, { uses: 'flight' })
    const own = await maximum(sides, how) // warms up as much as the other does
    if (own < how.shared.floorRate / 2) throw new Error(`carries only ${Math.round(own)} a second`)
    return openLoop(sides, how.shared.floorRate / 2, how)
  },
}

async function maximum({ client }, { quick }) {
  await client.call('flight.requests', { time: quick ? 80 : 300 })
  return (await client.call('flight.requests', { time: quick ? 100 : 700 })).rate
}

async function floorMaximum(parent, how) {
  const group = await ProcessGroup.open(byName('floor'), parent)
  try {
    return await maximum(await meet(group, how.places, { uses: 'flight' }), how)
  } finally {
    await group.stop()
  }
}

const openLoop = (sides, rate, { quick }) =>
  metered(sides, () => sides.client.call('load.ask', { rate, time: quick ? 150 : 2000 }))

const parts = {
  // Each request is due at a certain time, and its latency counts from then, even if the loop sends it
  // later: so the wait behind a slow answer is included.
  ask({ client }, { rate, time }) {
    return new Promise((resolve, reject) => {
      const total = Math.round((rate * time) / 1000)
      const taken = new Float64Array(total)
      const start = performance.now()
      const due = n => start + (n * 1000) / rate
      let sent = 0
      let answered = 0
      const ask = n => {
        client.request(small(n)).then(() => {
          taken[n] = (performance.now() - due(n)) * 1000
          if (++answered === total) resolve({ ...latencies(taken), rate, messages: total })
        }, reject)
      }
      const turn = () => {
        const passed = performance.now()
        while (sent < total && due(sent) <= passed) ask(sent++)
        if (sent < total) setImmediate(turn)
      }
      turn()
    })
  },
}

module.exports = { workloads: [load, sameLoad], parts }
