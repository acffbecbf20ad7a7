'use strict'

/**
 * A server and a client that speak protocol 1 as 0.6.2 does, written from a description of its wire.
 * They keep its manners (unknown commands answer null, a broadcast comes back to its sender) but read
 * its framing properly.
 */

const { randomUUID } = require('node:crypto')
const { EventEmitter } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const { Splitter, messageOf, textOf } = require('./legacy-framing.js')

const NAME_TAKEN = 201

/** Events: `connection` (name), `disconnection` (name). */
class LegacyServer extends EventEmitter {
  #domain
  #control = null
  #clients = new Map()
  #askers = new Map()
  #sockets = new Set()

  constructor({ domain = 'default' } = {}, handlers = {}) {
    super()
    this.#domain = domain
    this.handlers = new Map(Object.entries(handlers))
  }

  /** Listens, and replaces any file at the path. */
  start() {
    const path = controlPath(this.#domain)
    fs.rmSync(path, { force: true })
    this.#control = net.createServer(socket => this.#accept(socket))
    return listen(this.#control, path)
  }

  get clients() {
    return [...this.#clients.keys()]
  }

  emit(name, ...args) {
    // An emitter's own events share the method with messages to clients, as there.
    if (!this.#clients.has(name)) return super.emit(name, ...args)
    const [command, data, delivery] = args
    this.#clients.get(name).private?.write(textOf(null, command, data, delivery))
    return this
  }

  broadcast(command, data, initiator = null) {
    for (const name of this.clients) if (name !== initiator) this.emit(name, command, data)
    return this
  }

  /** Leaves as a process that ends: 0.6.2 has no way to be closed. */
  async close() {
    const control = this.#control
    this.#control = null
    const closed = new Promise(resolve => (control ? control.close(resolve) : resolve()))
    for (const socket of this.#sockets) socket.destroy()
    for (const client of this.#clients.values()) client.listener.close()
    this.#clients.clear()
    await closed
  }

  #accept(socket) {
    this.#keep(socket)
    let client = null
    read(socket, message => {
      if (message.command === 'handshake') this.#greet(socket, message.data).then(made => (client = made))
      else if (client) this.#relay(client, message)
    })
  }

  async #greet(control, name) {
    if (this.#clients.has(name)) {
      control.write(textOf(name, 'error', NAME_TAKEN))
      return null
    }
    const uuid = hex()
    const client = { name, uuid, control, private: null, listener: net.createServer() }
    this.#clients.set(name, client)
    client.listener.once('connection', socket => this.#attach(client, socket))
    control.on('close', () => this.#drop(client))
    await listen(client.listener, privatePath(this.#domain, uuid))
    control.write(textOf(name, 'handshake', uuid))
    return client
  }

  #attach(client, socket) {
    client.private = this.#keep(socket)
    client.listener.close()
    read(socket, message => this.#handle(client, message))
    socket.on('close', () => this.#drop(client))
    super.emit('connection', client.name)
  }

  #drop(client) {
    client.control.destroy()
    client.private?.destroy()
    client.listener.close()
    if (this.#clients.get(client.name) !== client) return
    this.#clients.delete(client.name)
    super.emit('disconnection', client.name)
  }

  /** What comes on the private socket. */
  #handle(client, { command, data, delivery }) {
    if (command === 'deliver') {
      const asker = this.#askers.get(delivery)
      this.#askers.delete(delivery)
      asker?.private?.write(textOf(null, 'deliver', data, delivery))
      return
    }
    const container = {
      data,
      uuid: client.uuid,
      name: client.name,
      socket: client.private,
      server: this.#control,
    }
    answer(this, container, command, delivery, client.private)
  }

  /** What comes on the control socket. */
  #relay(client, { command, data, delivery }) {
    if (command === 'discover') {
      const found = { clients: this.clients, command_handlers: [...this.handlers.keys()] }
      client.control.write(textOf(client.name, 'discover', found))
      return
    }
    const inner = JSON.parse(data)
    if (command === 'broadcast') {
      this.broadcast(inner.command, inner.data)
    } else if (command === 'emit' && this.#clients.has(inner.id)) {
      if (delivery) this.#askers.set(delivery, client)
      this.emit(inner.id, inner.command, inner.data, delivery)
    }
  }

  #keep(socket) {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    return socket
  }
}

/** Events: `connect` and `disconnect`, and `refused` (code), after which 0.6.2 hangs for ever. */
class LegacyClient extends EventEmitter {
  #domain
  #retryAfter
  #timer = null
  #control = null
  #private = null
  #queue = []
  #deliveries = new Map()
  #discoveries = []
  #closed = false

  constructor({ domain = 'default', name = hex(), retryAfter = 20 } = {}, handlers = {}) {
    super()
    this.name = name
    this.uuid = null
    this.handlers = new Map(Object.entries(handlers))
    this.#domain = domain
    // 2 s there. Tests have no time for that.
    this.#retryAfter = retryAfter
  }

  isConnected() {
    return this.uuid !== null && this.#private !== null && !this.#private.connecting
  }

  connect() {
    const connected = new Promise(resolve => this.once('connect', resolve))
    this.#attempt()
    return connected
  }

  send(command, data, delivery) {
    return this.#write('private', textOf(null, command, data, delivery))
  }

  emit(name, ...args) {
    if (['connect', 'disconnect', 'refused'].includes(name)) return super.emit(name, ...args)
    const [command, data] = args
    return this.#write('control', textOf(this.name, 'emit', textOf(name, command, data)))
  }

  broadcast(command, data) {
    return this.#write('control', textOf(this.name, 'broadcast', textOf(null, command, data)))
  }

  discover() {
    return new Promise(resolve => {
      this.#discoveries.push(resolve)
      this.#write('control', textOf(this.name, 'discover', null))
    })
  }

  /** `deliver(command, data)` goes to the server, `deliver(name, command, data)` to a client. */
  deliver(...args) {
    const [name, command, data] = args.length < 3 ? [null, ...args] : args
    const id = hex()
    return new Promise(resolve => {
      this.#deliveries.set(id, resolve)
      if (name === null) this.send(command, data, id)
      else this.#write('control', textOf(this.name, 'emit', textOf(name, command, data, id), id))
    })
  }

  /** Leaves as a process that ends: 0.6.2 has no way to disconnect. */
  close() {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#control?.destroy()
    this.#private?.destroy()
  }

  #attempt() {
    const control = net.connect(controlPath(this.#domain))
    this.#control = control
    this.#watch(control)
    control.write(textOf(null, 'handshake', this.name))
    read(control, ({ command, data }) => {
      if (command === 'handshake') this.#join(data)
      else if (command === 'error') super.emit('refused', data)
      else if (command === 'discover') this.#discoveries.shift()?.(data)
    })
  }

  #join(uuid) {
    const socket = net.connect(privatePath(this.#domain, uuid), () => {
      this.uuid = uuid
      super.emit('connect')
      for (const write of this.#queue.splice(0)) write()
    })
    this.#private = socket
    this.#watch(socket)
    read(socket, message => this.#handle(socket, message))
  }

  #handle(socket, { command, data, delivery }) {
    if (command === 'deliver') {
      this.#deliveries.get(delivery)?.(data)
      this.#deliveries.delete(delivery)
      return
    }
    const container = { data, uuid: this.uuid, name: this.name, socket, server: null }
    answer(this, container, command, delivery, socket)
  }

  /** Resolves once written, at once or when there is a connection. */
  #write(channel, text) {
    return new Promise(resolve => {
      const write = () => (channel === 'control' ? this.#control : this.#private).write(text, resolve)
      if (this.isConnected()) write()
      else this.#queue.push(write)
    })
  }

  #watch(socket) {
    socket.on('error', () => {})
    socket.on('close', () => {
      if (socket !== this.#control && socket !== this.#private) return
      const wasConnected = this.isConnected()
      this.#control?.destroy()
      this.#private?.destroy()
      this.#control = this.#private = this.uuid = null
      if (wasConnected) super.emit('disconnect')
      if (!this.#closed) this.#timer = setTimeout(() => this.#attempt(), this.#retryAfter)
    })
  }
}

module.exports = { LegacyClient, LegacyServer, NAME_TAKEN }

/** Calls the handler, and answers a delivery with what it returns or what its promise resolves to. */
async function answer(instance, container, command, delivery, socket) {
  const { handlers } = instance
  container.socket.writeCommand = (name, data, callback) => socket.write(textOf(null, name, data), callback)
  const handler = handlers.get(command)
  const result = handler ? await handler.call(instance, container) : null
  if (delivery) socket.write(textOf(null, 'deliver', result ?? null, delivery))
}

function read(socket, handle) {
  const splitter = new Splitter()
  socket.on('data', bytes => {
    for (const text of splitter.push(bytes)) handle(messageOf(text))
  })
}

function listen(server, path) {
  return new Promise((resolve, reject) => server.once('error', reject).listen(path, resolve))
}

function controlPath(domain) {
  return `/tmp/IPC.io.${domain}`
}

function privatePath(domain, uuid) {
  return `${controlPath(domain)}.${uuid}`
}

function hex() {
  return randomUUID().replaceAll('-', '')
}
