'use strict'

const net = require('node:net')

const { nextTurn, now, pause } = require('../clock')
const { latencies } = require('../statistics')
const { meet } = require('./sides')
const { small } = require('./message')

const fairness = {
  name: 'fairness',
  title: 'What a 1 ms timer, immediates and another socket of the loop see beside a ping-pong',
  feature: 'roundtrip',
  implementations: ['floor', 'ipcio-nopoll', 'ipcio', 'ipcio-thread'],
  columns: [
    { key: 'timer', label: 'timer late p99', unit: 'µs', better: 'less' },
    { key: 'timerAlone', label: 'without', unit: 'µs', better: 'less' },
    { key: 'socket', label: 'socket p99', unit: 'µs', better: 'less' },
    { key: 'socketAlone', label: 'without', unit: 'µs', better: 'less' },
    { key: 'immediate', label: 'immediate p99', unit: 'µs', better: 'less' },
    { key: 'immediateAlone', label: 'without', unit: 'µs', better: 'less' },
    { key: 'timerMax', label: 'timer max', unit: 'µs', better: 'less' },
    { key: 'roundTrips', label: 'round trips/s', unit: '/s', better: 'more' },
  ],
  async measure(group, { places, quick }) {
    const { client } = await meet(group, places, { uses: 'roundtrip' })
    const path = `${group.path}-other`
    await client.call('fairness.listen', { path })
    const beat = await group.start('beat', places.third === places.client ? places.server : places.third)
    const time = quick ? 400 : 2000
    await client.call('roundtrip.pingPong', { warm: 1000, time: 50 })
    const beating = beat.call('fairness.beat', { path, time: 2 * time + 200 })
    const alone = await client.call('fairness.watch', { time, pingPong: false })
    const beside = await client.call('fairness.watch', { time, pingPong: true })
    await beating
    return {
      timer: beside.timer.p99,
      timerAlone: alone.timer.p99,
      timerMax: beside.timer.max,
      socket: beside.socket.p99,
      socketAlone: alone.socket.p99,
      immediate: beside.immediate.p99,
      immediateAlone: alone.immediate.p99,
      roundTrips: beside.roundTrips,
    }
  },
}

const parts = {
  listen(here, { path }) {
    const server = net.createServer(socket => {
      socket.on('data', chunk => {
        for (let at = 0; at + 8 <= chunk.length; at += 8)
          here.heard?.push((now() - chunk.readDoubleLE(at)) * 1000)
      })
    })
    return new Promise(resolve => server.listen(path, resolve))
  },

  // Writes the time, once a millisecond.
  async beat(_here, { path, time }) {
    const socket = net.connect(path)
    const end = now() + time
    while (now() < end) {
      const stamp = Buffer.alloc(8)
      stamp.writeDoubleLE(now())
      socket.write(stamp)
      await pause(1)
    }
    socket.end()
  },

  async watch(here, { time, pingPong }) {
    const end = performance.now() + time
    const open = () => performance.now() < end
    here.heard = []
    const [timer, immediate, roundTrips] = await Promise.all([
      timers(open),
      immediates(open),
      pingPong ? roundTripsOf(here.client, open) : 0,
    ])
    const socket = latencies(here.heard)
    here.heard = undefined
    return { timer, immediate, socket, roundTrips: (roundTrips / time) * 1000 }
  },
}

async function timers(open) {
  const late = []
  while (open()) {
    const due = performance.now() + 1
    await pause(1)
    late.push(Math.max(0, performance.now() - due) * 1000)
  }
  return latencies(late)
}

async function immediates(open) {
  const taken = []
  while (open()) {
    await pause(5)
    const before = performance.now()
    await nextTurn()
    taken.push((performance.now() - before) * 1000)
  }
  return latencies(taken)
}

async function roundTripsOf(client, open) {
  let n = 0
  for (; open(); n++) await client.request(small(n))
  return n
}

module.exports = { workloads: [fairness], parts }
