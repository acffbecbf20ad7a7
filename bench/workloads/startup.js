'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const { pinned } = require('../machine')
const { median } = require('../statistics')

const ROOT = path.join(__dirname, '..', '..')

// A program that only loads the package.
const PROGRAMS = {
  ipcio: `require(${JSON.stringify(ROOT)})`,
  'net-ipc': "require('net-ipc')",
  'node-ipc': "import('node-ipc')",
  zeromq: "require('zeromq')",
  ws: "require('ws')",
}

const startup = {
  name: 'startup',
  title: 'Loading the package, above an empty program',
  feature: 'roundtrip',
  implementations: Object.keys(PROGRAMS),
  columns: [
    { key: 'time', label: 'time', unit: 'ms', better: 'less' },
    { key: 'binary', label: 'binary', unit: 'MB', better: 'less', sparse: true },
  ],
  measure({ implementation }, { places, quick }) {
    const runs = quick ? 3 : 9
    const differences = []
    for (let i = 0; i < runs; i++) {
      const empty = run('0', places.client)
      differences.push(run(PROGRAMS[implementation.name], places.client) - empty)
    }
    return { time: median(differences), ...(implementation.kind === 'ours' ? binary() : {}) }
  },
}

function run(program, cpu) {
  const [command, ...args] = pinned(cpu, [process.execPath, '-e', program])
  const before = performance.now()
  const { status, stderr } = spawnSync(command, args, {
    cwd: path.join(__dirname, '..'),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  if (status !== 0) throw new Error(String(stderr))
  return performance.now() - before
}

function binary() {
  const [file] = fs.readdirSync(ROOT).filter(name => name.endsWith('.node'))
  if (!file) return {}
  const content = fs.readFileSync(path.join(ROOT, file))
  return { binary: content.length / 1024 / 1024, stripped: !content.includes('\0.symtab\0') }
}

module.exports = { workloads: [startup] }
