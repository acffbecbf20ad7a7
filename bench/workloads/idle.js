'use strict'

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const { pause } = require('../clock')
const { meet } = require('./sides')

const SECONDS = 10
const CALM = 1500 // ms after which an idle program has done what it puts off
const ATTACHED = 700 // ms within which attaching itself interrupts what sleeps

const idle = {
  name: 'idle',
  title: `Connected and idle: system calls in ${SECONDS} s`,
  feature: 'roundtrip',
  rounds: 1,
  columns: [
    { key: 'calls', label: 'system calls', unit: '', better: 'less' },
    { key: 'serverCalls', label: 'server', unit: '', better: 'less' },
    { key: 'clientCalls', label: 'client', unit: '', better: 'less' },
  ],
  available: () => (spawnSync('strace', ['-V']).status === 0 ? undefined : 'strace is not installed'),
  async measure(group, { places, quick }) {
    // V8 collects garbage some seconds after a program became idle, which is not to be measured here.
    group.flags.push('--no-memory-reducer')
    const { server, client } = await meet(group, places, { uses: 'roundtrip' })
    await client.call('roundtrip.pingPong', { warm: 100, time: 20 })
    await Promise.all([server.call('sides.memory'), client.call('sides.memory')])
    await pause(quick ? CALM / 3 : CALM)
    const seconds = quick ? 1 : SECONDS
    const [serverCalls, clientCalls] = await Promise.all(
      [server, client].map(({ pid }) =>
        systemCalls(pid, seconds, path.join(group.directory, `strace-${pid}`)),
      ),
    )
    return {
      calls: serverCalls.length + clientCalls.length,
      serverCalls: serverCalls.length,
      clientCalls: clientCalls.length,
      names: [...serverCalls, ...clientCalls].slice(0, 20),
    }
  },
}

async function systemCalls(pid, seconds, file) {
  const tracer = spawn('strace', ['-f', '-ttt', '-qq', '-o', file, '-p', String(pid)], {
    stdio: 'ignore',
  })
  await pause(ATTACHED)
  const from = Date.now() / 1000
  await pause(seconds * 1000)
  const until = Date.now() / 1000
  const ended = new Promise(resolve => tracer.once('exit', resolve))
  tracer.kill('SIGINT')
  await ended
  return fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .map(line => line.split(/\s+/, 3))
    .filter(([, time]) => time >= from && time < until)
    .map(([, , call]) => call)
    .filter(call => call !== '<...') // the end of one that had begun
}

module.exports = { workloads: [idle] }
