'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const { pinned } = require('../machine')
const { summary } = require('../statistics')

const SOURCE = path.join(__dirname, 'limit.c')
const PROGRAM = path.join(__dirname, 'limit')
const UNSENT = path.join(__dirname, 'unsent.js')
const MB = 1024 * 1024

// The limits of the machine: a bare socket, and a program that makes messages and does not send them.
function measure(places, how) {
  return { ...socket(places, how), unsent: unsent(places, how) }
}

function unsent({ client }, { quick, rounds }) {
  const messages = String(quick ? 100_000 : 1_000_000)
  const command = pinned(client, [process.execPath, '--expose-gc', UNSENT, messages])
  return summary(Array.from({ length: rounds }, () => run(command).rate))
}

// A program in C, built when it is first needed. Returns nothing without a compiler or on another system than Linux.
function socket({ server, client }, { quick, rounds }) {
  if (process.platform !== 'linux' || !build()) return undefined
  const trips = quick ? 20_000 : 200_000
  const bytes = (quick ? 256 : 2048) * MB
  const cpus = [client, server]
  const samples = Array.from({ length: rounds }, () => ({
    spin: server === client ? undefined : run([PROGRAM, 'spin', trips, ...cpus]).p50 / 1000,
    block: run([PROGRAM, 'block', trips / 4, ...cpus]).p50 / 1000,
    '1m': run([PROGRAM, 'stream', bytes, MB, ...cpus]).bytes / MB,
    '64m': run([PROGRAM, 'stream', bytes, 64 * MB, ...cpus]).bytes / MB,
  }))
  const of = key => (samples[0][key] === undefined ? undefined : summary(samples.map(sample => sample[key])))
  return { spin: of('spin'), block: of('block'), stream: { '1m': of('1m'), '64m': of('64m') } }
}

function build() {
  if (fs.existsSync(PROGRAM) && fs.statSync(PROGRAM).mtimeMs > fs.statSync(SOURCE).mtimeMs) return true
  return (
    spawnSync('cc', ['-O2', '-Wall', '-Wextra', '-o', PROGRAM, SOURCE], { stdio: 'inherit' }).status === 0
  )
}

function run([program, ...words]) {
  const { stdout, stderr, status } = spawnSync(program, words.map(String), { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

module.exports = { measure }
