'use strict'

const { pause } = require('../clock')
const { meet, metered } = require('./sides')
const { small } = require('./message')

const SECONDS = 10

const paced = rate => ({
  name: `paced-${rate}`,
  title: `${rate.toLocaleString('en')} round trips a second: what they cost in CPU time`,
  feature: 'roundtrip',
  rounds: 9,
  slow: rate < 1000,
  implementations: ['ipcio-nopoll', 'ipcio'],
  columns: [
    { key: 'busy', label: 'CPU time of both', unit: 'ms/s', better: 'less' },
    { key: 'p50', label: 'p50', unit: 'µs', better: 'less' },
    { key: 'p99', label: 'p99', unit: 'µs', better: 'less' },
  ],
  async measure(group, { places, quick }) {
    const sides = await meet(group, places, { uses: 'roundtrip' })
    await sides.client.call('roundtrip.pingPong', { warm: 1000, time: 50 })
    await pause(100)
    const seconds = quick ? 1 : SECONDS
    const sample = await metered(sides, () => sides.client.call('paced.ask', { rate, seconds }))
    return { ...sample, busy: (sample.cpu * sample.messages) / 1000 / sample.seconds }
  },
})

const parts = {
  async ask({ client }, { rate, seconds }) {
    const { latencies } = require('../statistics')
    const taken = []
    const start = performance.now()
    const period = 1000 / rate
    const total = rate * seconds
    for (let n = 0; n < total; n++) {
      const due = start + n * period
      const early = due - performance.now()
      if (early > 0) await pause(early)
      const before = performance.now()
      await client.request(small(n))
      taken.push((performance.now() - before) * 1000)
    }
    return { ...latencies(taken), messages: total, seconds: (performance.now() - start) / 1000 }
  },
}

module.exports = { workloads: [paced(100), paced(1000)], parts }
