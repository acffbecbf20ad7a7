'use strict'

const { latencies } = require('../statistics')
const { meet, metered } = require('./sides')
const { small } = require('./message')

const COLUMNS = [
  { key: 'p50', label: 'p50', unit: 'µs', better: 'less' },
  { key: 'p99', label: 'p99', unit: 'µs', better: 'less' },
  { key: 'cpu', label: 'CPU each', unit: 'µs', better: 'less' },
]

const roundtrip = {
  name: 'roundtrip',
  essential: true,
  title: 'One request at a time, small message, each end on a CPU of its own',
  feature: 'roundtrip',
  columns: COLUMNS,
  measure: (group, { places, quick }) => pingPong(group, places, quick),
}

const oneCpu = {
  name: 'roundtrip-one-cpu',
  title: 'One request at a time, both ends on one CPU',
  feature: 'roundtrip',
  columns: COLUMNS,
  measure: (group, { places, quick }) => pingPong(group, { ...places, client: places.server }, quick),
}

const relay = {
  name: 'relay',
  title: 'One request at a time from client to client, through the server',
  feature: 'relay',
  columns: COLUMNS,
  async measure(group, { places, quick }) {
    const sides = await meet(group, places, { uses: 'relay' })
    const other = await group.start('other', places.third)
    await other.call('sides.connect', { path: group.path, name: 'other', uses: 'relay' })
    return metered(sides, () => sides.client.call('roundtrip.pingPong', { ...length(quick), to: 'other' }))
  },
}

const parts = {
  async pingPong({ client }, { warm, time, to }) {
    const ask = to ? data => client.requestTo(to, data) : data => client.request(data)
    for (let n = 0; n < warm; n++) await ask(small(n))
    const taken = []
    const end = performance.now() + time
    for (let n = 0, before = performance.now(); before < end; n++) {
      const answer = await ask(small(n))
      const after = performance.now()
      if (answer.n !== n) throw new Error(`asked ${n}, answered ${JSON.stringify(answer)}`)
      taken.push((after - before) * 1000)
      before = after
    }
    return { ...latencies(taken), messages: taken.length + warm }
  },
}

async function pingPong(group, places, quick) {
  const sides = await meet(group, places, { uses: 'roundtrip' })
  return metered(sides, () => sides.client.call('roundtrip.pingPong', length(quick)))
}

const length = quick => (quick ? { warm: 300, time: 120 } : { warm: 3000, time: 1000 })

module.exports = { workloads: [roundtrip, oneCpu, relay], parts }
