'use strict'

/** The processes of a campaign: one server and clients. Each start of one is another life. */

const { fork } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const { Calls } = require('./calls')
const { clock } = require('./journal')
const { SERVER } = require('./payload')
const { descriptors, resident } = require('./vitals')

/** The kernel keeps files here in memory, so that no process waits for a disk. */
const SHARED_MEMORY = '/dev/shm'

/** How long `until` waits by default, in milliseconds. */
const PATIENCE = 60_000

let opened = 0

class Processes {
  /** Sentences that describe faults of processes. */
  faults = []
  /** When the server was killed. */
  kills = []
  /** When members were stopped, and when they continued. */
  stops = []
  /** The paths of the journals of all lives, by index. */
  journals = []
  members = []

  constructor({ driver, random }) {
    this.driver = driver
    this.random = random
    this.domain = `chaos-${process.pid}-${++opened}`
    const folder = fs.existsSync(SHARED_MEMORY) ? SHARED_MEMORY : os.tmpdir()
    this.folder = fs.mkdtempSync(path.join(folder, 'ipcio-chaos-'))
  }

  get server() {
    return this.members[SERVER]
  }

  get clients() {
    return this.members.slice(SERVER + 1)
  }

  /** Starts the server; `started` resolves when it accepts calls. */
  startServer(options = {}) {
    return this.#start(SERVER, 'server.js', { options: { domain: this.domain, ...options } })
  }

  /** Starts the clients 1 to `count`. */
  async startClients(count) {
    this.count = count
    for (let index = 1; index <= count; index++) this.startClient(index)
    await Promise.all(this.clients.map(client => client.started))
  }

  startClient(index) {
    const peers = Array.from({ length: this.count }, (_, at) => at + 1).filter(peer => peer !== index)
    return this.#start(index, 'client.js', { domain: this.domain, index, peers, seed: this.random.seed() })
  }

  /** Starts another program of this folder, which gets the domain, an index and a journal. */
  startHost(index, program, facts) {
    return this.#start(index, program, { domain: this.domain, index, ...facts })
  }

  /** The path of the journal of one life of a client, for a program that writes several journals. */
  journalOf(index, life) {
    this.journals[index] ??= []
    this.journals[index][life] ??= path.join(this.folder, `${index}.${life}`)
    return this.journals[index][life]
  }

  /** Kills a member, at once. */
  async kill(index) {
    const member = this.members[index]
    member.isExpectedToEnd = true
    if (index === SERVER) this.kills.push(clock())
    member.child.kill('SIGKILL')
    await member.ended
  }

  /** Stops a member until the function that is returned is called. */
  stop({ child }) {
    const from = clock()
    child.kill('SIGSTOP')
    return () => {
      child.kill('SIGCONT')
      this.stops.push({ from, to: clock() })
    }
  }

  /** Calls a method of all clients. */
  all(method, options) {
    return Promise.all(this.clients.map(client => client.calls.call(method, options)))
  }

  /** Closes all processes. One that does not close in time is a fault. */
  async close() {
    for (const member of [...this.clients, this.server]) {
      if (!member || member.hasEnded) continue
      member.isExpectedToEnd = true
      const closed = member.calls.call('close').then(() => true)
      const isClosed = await Promise.race([closed.catch(error => error.message), later(15_000)])
      if (isClosed !== true) this.faults.push(`${member.name} did not close: ${isClosed ?? 'after 15 s'}`)
      member.calls.call('exit').catch(() => {})
      if (!(await Promise.race([member.ended.then(() => true), later(5000)]))) member.child.kill('SIGKILL')
      await member.ended
    }
  }

  /** Ends and removes what is left, also if the campaign failed. */
  dispose() {
    for (const { child, hasEnded } of this.members.filter(Boolean)) if (!hasEnded) child.kill('SIGKILL')
    fs.rmSync(this.folder, { recursive: true, force: true })
    for (const file of this.files()) fs.rmSync(file, { recursive: true, force: true })
  }

  /** The files of this domain in /tmp. */
  files() {
    return fs
      .readdirSync('/tmp', { withFileTypes: true })
      .flatMap(entry => {
        const file = path.join('/tmp', entry.name)
        if (!entry.name.includes('IPC.io') || !entry.isDirectory()) return [file]
        try {
          return fs.readdirSync(file).map(name => path.join(file, name))
        } catch {
          return []
        }
      })
      .filter(file => new RegExp(`${this.domain}(?!\\d)`).test(path.basename(file)))
  }

  #start(index, program, facts) {
    this.journals[index] ??= []
    const life = this.journals[index].length
    const journal = this.journalOf(index, life)
    const child = fork(path.join(__dirname, program), [JSON.stringify({ ...facts, journal, life })], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      env: { ...process.env, IPCIO_DRIVER: this.driver },
    })
    const member = { index, life, child, name: `${program} ${index}.${life}`, calls: new Calls(child) }
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', text => {
      errors += text
    })
    member.ended = new Promise(resolve => child.once('exit', (code, signal) => resolve({ code, signal })))
    member.ended.then(({ code, signal }) => {
      member.hasEnded = true
      if (!member.isExpectedToEnd)
        this.faults.push(`${member.name} ended by itself: ${signal ?? code}. ${errors}`)
      else if (errors) this.faults.push(`${member.name} printed: ${errors}`)
    })
    member.started = member.calls.call('up')
    member.started.catch(() => {})
    this.members[index] = member
    return member
  }
}

/** Resolves to undefined after `milliseconds`. */
function later(milliseconds) {
  return new Promise(resolve => setTimeout(resolve, milliseconds).unref())
}

/** Waits, for at most `milliseconds`, until `condition()` returns something truthy; resolves to that. */
async function until(condition, milliseconds = PATIENCE) {
  const end = clock() + milliseconds
  for (;;) {
    const value = await condition()
    if (value || clock() > end) return value
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** The descriptors and the memory of a process, read from outside. */
function outside({ child }) {
  return { descriptors: descriptors(child.pid), memory: resident(child.pid) }
}

module.exports = { Processes, later, until, outside }
