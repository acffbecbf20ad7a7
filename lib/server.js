'use strict'

const native = require('./binding.js')
const { events } = require('./constants.js')
const { checkCommand, encode, isListenerEvent } = require('./core.js')
const { describe } = require('./describe.js')
const { invalidArgument } = require('./errors.js')
const { Instance, coreOf } = require('./instance.js')
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
class Server extends Instance {
  #native
  #core = coreOf(this)
  #peers = new Map()

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
    return this.#core.isClosing || this.isStarted() ? this.#core.close() : Promise.resolve()
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
        this.#core.ended()
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
      disconnect: () => core.disconnect(session),
    })
  }
}

module.exports = { Server }
