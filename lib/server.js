'use strict'

const { EventEmitter } = require('node:events')
const native = require('./binding.js')
const { events } = require('./constants.js')
const { Core, checkCommand, encode, tellsOfListener } = require('./core.js')
const { describe } = require('./describe.js')
const { invalidArgument, refusable } = require('./errors.js')
const { release, watchOver } = require('./exit.js')
const { nativeOptions } = require('./options.js')
const { inconsistent } = require('./refusals.js')
const { Socket } = require('./socket.js')

const {
  SESSION_CONNECTED,
  SESSION_DISCONNECTED,
  SESSION_ENDED,
  DROPPED,
  DRAINED,
  RELISTENED,
  DISPLACED,
  CLOSED,
} = events

/** The server of a domain. Its documentation is in `index.d.ts`. */
class Server extends EventEmitter {
  #native
  #core
  #domain
  #peers = new Map()
  #closing = null

  constructor(options, handlers) {
    super()
    const checked = nativeOptions(options)
    this.#domain = checked.domain
    this.#native = refusable(() => new native.Server(checked))
    this.#core = new Core(this, this.#native, this.#listener(), checked.verbose)
    if (handlers !== undefined && handlers !== null) this.addHandlers(handlers)
  }

  get verbose() {
    return this.#core.verbose
  }

  set verbose(value) {
    this.#core.verbose = value
  }

  get domain() {
    return this.#domain
  }

  get listening() {
    return this.isStarted()
  }

  isStarted() {
    return this.#native.isStarted
  }

  address() {
    return this.isStarted() ? this.#native.path : null
  }

  start() {
    refusable(() => this.#native.start(this.#core.onEvents))
    watchOver(this.#core)
    return this
  }

  addHandlers(handlers) {
    this.#core.addHandlers(handlers)
    return this
  }

  emit(name, command, data, delivery) {
    if (tellsOfListener(name, data)) return super.emit(name, command, data)
    if (typeof name !== 'string') {
      throw invalidArgument(`The client's name must be a string, not ${describe(name)}.`)
    }
    checkCommand(command)
    const [payload, bytes] = encode(data)
    this.#core.outgoing.call(native.emit, name, command, payload, bytes, delivery)
    return this
  }

  broadcast(command, data, initiator) {
    checkCommand(command)
    const [payload, bytes] = encode(data)
    this.#core.outgoing.call(native.broadcast, command, payload, bytes, initiator)
    return this
  }

  close() {
    if (this.#closing !== null) return this.#closing.promise
    if (!this.isStarted()) return Promise.resolve()
    let resolve
    const promise = new Promise(settle => {
      resolve = settle
    })
    this.#closing = { promise, resolve }
    this.#core.outgoing.flush()
    this.#native.close()
    this.#core.plan()
    return promise
  }

  /** Called by EventEmitter where `captureRejections` is set. */
  [Symbol.for('nodejs.rejection')](error, event) {
    this.#core.rejected(error, event)
  }

  #listener() {
    return {
      server: this,
      peer: session => this.#peers.get(session),
      event: (kind, values) => this.#event(kind, values),
    }
  }

  #event(kind, values) {
    const [session] = values
    const peer = this.#peers.get(session)
    switch (kind) {
      case SESSION_CONNECTED:
        this.#connected(...values)
        break
      case SESSION_DISCONNECTED:
        this.#core.announce('disconnection', { name: peer.name, uuid: peer.uuid })
        peer.announce('close')
        break
      case SESSION_ENDED: {
        const [, name, messages, bytes] = values
        this.#peers.delete(session)
        if (messages > 0) this.#core.announce('dropped', { name, messages, bytes })
        break
      }
      case DROPPED: {
        const [name, messages, bytes] = values
        this.#core.announce('dropped', { name, messages, bytes })
        break
      }
      case DRAINED:
        peer.announce('drain')
        break
      case RELISTENED:
        this.#core.announce('relistened', this.#native.path)
        break
      case DISPLACED:
        this.#core.announce('displaced', this.#native.path)
        break
      case CLOSED:
        release(this.#core)
        this.#closing.resolve()
        this.#closing = null
        break
      default:
        throw inconsistent(`servers do not know the kind ${kind} of events`)
    }
  }

  #connected(session, name, uuid) {
    if (!this.#peers.has(session)) this.#peers.set(session, this.#peer(session, name, uuid))
    this.#core.announce('connection', { name, uuid })
  }

  #peer(session, name, uuid) {
    const core = this.#core
    return new Socket(uuid, name, {
      write: (command, data, delivery) => {
        checkCommand(command)
        const [payload, bytes] = encode(data)
        core.outgoing.call(native.write, session, command, payload, bytes, delivery)
      },
      isWritable: () => this.#native.isReachable(session),
      isBlocked: () => this.#native.isBlocked(session),
      disconnect: () => {
        core.outgoing.flush()
        this.#native.disconnect(session)
        core.plan()
      },
    })
  }
}

module.exports = { Server }
