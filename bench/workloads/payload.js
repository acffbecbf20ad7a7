'use strict'

const { meet, metered } = require('./sides')
const { records } = require('./message')

const KB = 1024
const MB = 1024 * KB

const COLUMNS = [
  { key: 'bytes', label: 'MB/s', unit: 'MB/s', better: 'more' },
  { key: 'cpu', label: 'CPU each', unit: 'µs', better: 'less' },
]

const json = (name, label, size, options) => ({
  name: `json-${name}`,
  title: `Requests with ${label} of JSON, answered with its length`,
  feature: 'json',
  columns: COLUMNS,
  ...options,
  measure: (group, how) => carry(group, how, { uses: 'json', size }),
})

const bytes = (name, label, size, options) => ({
  name: `bytes-${name}`,
  title: `Requests with a Buffer of ${label}, answered with its length`,
  feature: 'bytes',
  columns: COLUMNS,
  ...options,
  measure: (group, how) => carry(group, how, { uses: 'bytes', size }),
})

const workloads = [
  json('1k', '1 KB', KB, { essential: true }),
  json('16k', '16 KB', 16 * KB, { slow: true }),
  json('1m', '1 MB', MB),
  json('64m', '64 MB', 64 * MB, { slow: true }),
  bytes('1m', '1 MB', MB, { essential: true }),
  bytes('64m', '64 MB', 64 * MB),
]

async function carry(group, { places, quick }, { uses, size }) {
  const sides = await meet(group, places, { uses, answer: 'size' })
  await sides.client.call('payload.prepare', { uses, size })
  const inFlight = Math.max(uses === 'bytes' ? 2 : 1, Math.min(64, (4 * MB) / size))
  const time = quick ? 150 : 900
  await sides.client.call('payload.carry', { inFlight, time: time / 3, least: 1 })
  return metered(sides, () => sides.client.call('payload.carry', { inFlight, time, least: 2 }))
}

const parts = {
  prepare(here, { uses, size }) {
    here.load = uses === 'bytes' ? Buffer.alloc(size, 7) : records(size)
    if (uses === 'bytes') here.load[0] = 0
    here.loadBytes = uses === 'bytes' ? size : JSON.stringify(here.load).length
  },

  async carry({ client, load, loadBytes }, { inFlight, time, least }) {
    const start = performance.now()
    let sent = 0
    const asker = async () => {
      while (sent < least || performance.now() - start < time) {
        sent++
        const length = await client.request(load)
        if (length !== load.length) throw new Error(`sent ${load.length}, answered ${length}`)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, asker))
    const seconds = (performance.now() - start) / 1000
    return { bytes: (sent * loadBytes) / MB / seconds, messages: sent }
  },
}

module.exports = { workloads, parts }
