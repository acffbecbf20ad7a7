'use strict'

const assert = require('node:assert/strict')
const { randomBytes } = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { Client, Server } = require('../..')
const { Child } = require('./child.js')
const { eventOf, within } = require('./deadline.js')
const { LegacyClient, LegacyServer } = require('./legacy-peer.js')

let counter = 0

/**
 * A domain that only one test uses. What is opened through it is closed when the test ends, the last
 * first, and then nothing of it may be left in /tmp.
 */
class Domain {
  #closing = []
  #children = []
  #server

  constructor(t) {
    this.name = `test-${process.pid}-${++counter}-${randomBytes(4).toString('hex')}`
    this.path = `/tmp/IPC.io.${this.name}`
    t.after(() => this.#leave())
  }

  /** A server that is started. */
  server(handlers, options) {
    this.#server = this.idleServer(handlers, options).start()
    return this.#server
  }

  idleServer(handlers, options) {
    const server = new Server({ domain: this.name, ...options }, handlers)
    this.defer(() => within(server.close(), 'the server to close'))
    return server
  }

  /** A client that is connected. */
  async client(name, handlers, options) {
    const client = this.idleClient(name, handlers, options)
    await within(client.connect(), `${name} to connect`)
    return client
  }

  idleClient(name, handlers, options) {
    const client = new Client({ domain: this.name, name, ...options }, handlers)
    this.defer(() => within(client.close(), `${name} to close`))
    return client
  }

  async legacyServer(handlers, options) {
    const server = new LegacyServer({ domain: this.name, ...options }, handlers)
    this.defer(() => server.close())
    await within(server.start(), 'the server of 0.6.2 to listen')
    return server
  }

  /** A client of 0.6.2 that is connected. It takes itself for connected before the server has accepted it. */
  async legacyClient(name, handlers, options) {
    const client = this.idleLegacyClient(name, handlers, options)
    const accepted = this.#server && eventOf(this.#server, 'connection')
    await within(Promise.all([client.connect(), accepted]), `${name} to connect`)
    return client
  }

  idleLegacyClient(name, handlers, options) {
    const client = new LegacyClient({ domain: this.name, name, ...options }, handlers)
    this.defer(() => client.close())
    return client
  }

  /** A process that runs a fixture with the domain's name as its first argument. */
  spawn(fixture, args = [], options) {
    const child = new Child(fixture, [this.name, ...args], options)
    this.#children.push(child)
    this.defer(() => child.kill())
    return child
  }

  /** Has something done when the test ends. */
  defer(close) {
    this.#closing.push(close)
  }

  /** The domain's files that exist in /tmp: its sockets, and the lock under which servers of 1.0.0 start. */
  files() {
    const own = `IPC.io.${this.name}`
    const isOwn = file => file === own || file.startsWith(`${own}.`) || file.startsWith(`.${own}.`)
    return fs.readdirSync('/tmp').filter(isOwn)
  }

  /** What lies in the folders of locks of this domain, by its path. */
  locks() {
    const folders = fs.readdirSync('/tmp').filter(file => file.startsWith('.IPC.io-'))
    return folders
      .flatMap(folder => listed(`/tmp/${folder}`))
      .filter(file => path.basename(file).startsWith(`IPC.io.${this.name}.`))
  }

  async #leave() {
    const failures = []
    for (const close of this.#closing.reverse()) {
      await Promise.resolve()
        .then(close)
        .catch(error => failures.push(error))
    }
    const all = [...this.files().map(file => `/tmp/${file}`), ...this.locks()]
    const left = all.filter(file => !this.#isOfKilled(file))
    for (const file of all) remove(file)
    if (failures.length) throw failures[0]
    assert.deepEqual(left, [], 'files are left behind')
  }

  /** A server that was killed had no chance to remove its socket and its lock. */
  #isOfKilled(file) {
    const isOfServer = [`IPC.io.${this.name}`, `IPC.io.${this.name}.lock`].includes(path.basename(file))
    return isOfServer && this.#children.some(child => child.over?.signal === 'SIGKILL')
  }
}

function listed(folder) {
  try {
    return fs.readdirSync(folder).map(file => path.join(folder, file))
  } catch {
    // Another server has removed it meanwhile, as the last one of its user.
    return []
  }
}

function remove(file) {
  fs.rmSync(file, { force: true })
  if (!path.dirname(file).startsWith('/tmp/')) return
  try {
    fs.rmdirSync(path.dirname(file))
  } catch {
    // There are locks of others in it.
  }
}

module.exports = { Domain }
