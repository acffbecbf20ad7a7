'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')

// The machine and the versions.
function facts() {
  const cpus = os.cpus()
  return {
    cpu: cpus[0]?.model ?? 'unknown',
    cpus: cpus.length,
    memory: os.totalmem(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    virtual: /^flags.*\bhypervisor\b/m.test(text('/proc/cpuinfo')),
    node: process.versions.node,
    v8: process.versions.v8,
    date: new Date().toISOString(),
    load: os.loadavg()[0],
  }
}

// The CPUs this process may use, by number.
function allowed() {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(text('/proc/self/status'))?.[1]
  if (!list) return os.cpus().map((_, number) => number)
  return list.split(',').flatMap(range => {
    const [first, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}

// The CPUs of server and client. If there is only one CPU they share it, and the tables say so.
function places() {
  const cpus = allowed()
  return {
    server: cpus[0],
    client: cpus[1] ?? cpus[0],
    third: cpus[2] ?? cpus[1] ?? cpus[0],
    free: cpus.length,
  }
}

// The same command, pinned to one CPU if the system supports this.
function pinned(cpu, command) {
  return canPin() ? ['taskset', '-c', String(cpu), ...command] : command
}

let pins
function canPin() {
  pins ??= spawnSync('taskset', ['-V']).status === 0
  return pins
}

function text(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

module.exports = { facts, places, pinned, canPin }
