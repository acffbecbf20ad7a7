'use strict'

const native = require('./binding.js')
const { events, messages } = require('./constants.js')
const { encode, isListenerEvent } = require('./core.js')
const { Deliveries } = require('./deliveries.js')
const { Instance, coreOf } = require('./instance.js')
const { checkCommand, checkName } = require('./names.js')
const { inconsistent } = require('./refusals.js')
const { Socket } = require('./socket.js')

const { REQUEST } = messages
const {
  TIMED_OUT,
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
class Server extends Instance {
  #native
  #core = coreOf(this)
  #peers = new Map()
  #deliveries = new Deliveries(
    this.#core.outgoing,
    (kind, name, command, data, number, limit) => this.#ask(kind, name, command, data, number, limit),
    () => {},
  )

  constructor(options, handlers) {
    super(options, native.Server)
    this.#native = this.#core.native
    this.#core.listen(this.#listener())
    if (handlers !== undefined && handlers !== null) this.addHandlers(handlers)
  }

  get listening() {
    return this.isStarted()
  }

  address() {
    return this.isStarted() ? this.#native.path : null
  }

  start() {
    this.#core.start(onEvents => this.#native.start(onEvents))
    return this
  }

  emit(name, command, data, delivery) {
    if (isListenerEvent(name, data)) return super.emit(name, command, data)
    checkName(name)
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

  deliver(name, command, data, options) {
    return this.#deliveries.ask(REQUEST, name, command, data, options)
  }

  clients() {
    this.#core.outgoing.flush()
    const now = Date.now()
    return this.#native.clients().map(({ name, uuid, pid, uid, gid, age, away, messages, bytes }) => ({
      name,
      uuid,
      pid,
      uid,
      gid,
      since: new Date(now - age),
      away,
      queued: { messages, bytes },
    }))
  }

  close() {
    return this.#core.isClosing || this.isStarted() ? this.#core.close() : Promise.resolve()
  }

  #ask(kind, name, command, data, number, limit) {
    const [payload, bytes] = encode(data)
    const { outgoing } = this.#core
    // Only now: `encode` may call functions of the program, which may ask.
    outgoing.route(kind, name, command)
    outgoing.call(native.ask, payload, bytes, number, limit)
  }

  #listener() {
    return {
      server: this,
      peer: session => this.#peers.get(session),
      answered: (number, data, failed) => this.#deliveries.answer(number, data, failed),
      event: (kind, values) => this.#event(kind, values),
    }
  }

  #event(kind, values) {
    const [session] = values
    const peer = this.#peers.get(session)
    switch (kind) {
      case TIMED_OUT:
        this.#deliveries.expire(values[1], values[2])
        break
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
        this.#core.ended()
        break
      default:
        throw inconsistent(`servers do not know the kind ${kind} of events`)
    }
  }

  #connected(session, name, uuid, pid, uid, gid) {
    if (!this.#peers.has(session)) this.#peers.set(session, this.#peer(session, name, uuid))
    this.#peers.get(session).credentials = Object.freeze({ pid, uid, gid })
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
      disconnect: () => core.disconnect(session),
    })
  }
}

module.exports = { Server }
