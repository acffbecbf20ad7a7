'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')

const { Control } = require('./control')
const { pinned } = require('./machine')

const WORKER = path.join(__dirname, 'worker.js')
const STOP_PATIENCE = 2000

let opened = 0

// The processes of one sample, each on its CPU, and the path of their socket. A group with a parent ends when the
// parent ends, or earlier.
class ProcessGroup {
  static async open(implementation, parent) {
    const group = new ProcessGroup(implementation)
    parent?.subgroups.push(group)
    await new Promise(resolve => group.listener.listen(group.control, resolve))
    return group
  }

  constructor(implementation) {
    this.implementation = implementation
    this.flags = ['--expose-gc']
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'))
    this.path = path.join(this.directory, `bench-${process.pid}-${++opened}`)
    this.control = path.join(this.directory, 'control')
    this.children = []
    this.controls = []
    this.subgroups = []
    this.arrivals = new Map()
    this.failure = new Promise((_, reject) => {
      this.fail = reject
    })
    this.failure.catch(() => {})
    this.listener = net.createServer(socket => {
      new Control(socket, {
        onHello: (facts, control) => this.arrived(facts, control),
        onClose: ({ role }) => this.fail(new Error(`the ${role} ended`)),
      })
    })
  }

  // Starts a process, and waits until it accepts calls.
  start(role, cpu) {
    const [command, ...args] = pinned(cpu, [process.execPath, ...this.flags, WORKER])
    const child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: this.environment(role),
    })
    this.children.push(child)
    return this.arrival(role, child)
  }

  // The environment for a process that another process of the group starts.
  environment(role) {
    return {
      ...process.env,
      BENCH_CONTROL: this.control,
      BENCH_ROLE: role,
      BENCH_IMPLEMENTATION: this.implementation.name,
    }
  }

  arrival(role, child) {
    return new Promise((resolve, reject) => {
      this.arrivals.set(role, resolve)
      child?.once('error', reject)
      child?.once('exit', () => reject(new Error(`the ${role} ended before it said hello`)))
    })
  }

  arrived({ role, pid }, control) {
    Object.assign(control, { role, pid })
    this.arrivals.get(role)?.(control)
    this.controls.push(control)
  }

  async stop() {
    if (this.stopped) return
    this.stopped = true
    await Promise.all(this.subgroups.map(group => group.stop()))
    for (const control of this.controls) control.call('exit').catch(() => {})
    const ended = [...this.children.map(exited), ...this.controls.map(closed)]
    const patience = setTimeout(() => this.kill(), STOP_PATIENCE)
    await Promise.all(ended)
    clearTimeout(patience)
    this.listener.close()
    fs.rmSync(this.directory, { recursive: true, force: true })
    this.removeDomain()
  }

  // The id of a process that another process started (if the implementation `forks`) is known from its hello.
  kill() {
    for (const child of this.children) child.kill('SIGKILL')
    for (const { pid, socket } of this.controls) {
      if (!socket.destroyed) process.kill(pid, 'SIGKILL')
    }
  }

  // Removes the files of a server of ipcio that was killed.
  removeDomain() {
    const name = `IPC.io.${path.basename(this.path)}`
    for (const file of fs.readdirSync('/tmp')) {
      if (file.startsWith(name)) fs.rmSync(path.join('/tmp', file), { force: true })
    }
  }
}

const exited = child =>
  child.exitCode !== null || child.signalCode !== null
    ? undefined
    : new Promise(resolve => child.once('exit', resolve))

const closed = ({ socket }) =>
  socket.destroyed ? undefined : new Promise(resolve => socket.once('close', resolve))

module.exports = { ProcessGroup, WORKER }
