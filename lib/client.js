'use strict'

const native = require('./binding.js')
const { events, messages } = require('./constants.js')
const { encode, isListenerEvent } = require('./core.js')
const { Deliveries } = require('./deliveries.js')
const { closedError, ipcError } = require('./errors.js')
const { PromiseQueue, quiet } = require('./promises.js')
const { Instance, coreOf } = require('./instance.js')
const { inconsistent } = require('./refusals.js')
const { Socket } = require('./socket.js')

const { REJECTED, TIMED_OUT, CONNECTED, DISCONNECTED, WAITING, DRAINED, REFUSED, CLOSED } = events
const { SEND, EMIT, BROADCAST, REQUEST, DISCOVER } = messages

/** A client of a domain. Its documentation is in `index.d.ts`. */
class Client extends Instance {
  #native
  #core = coreOf(this)
  #peer
  #connecting = null
  /** Whether it was closed, and `connect()` was not called since. */
  #closed = false
  #discovery = null
  #oneWay = new PromiseQueue()
  #deliveries = new Deliveries(
    this.#core.outgoing,
    (kind, name, command, data, number, limit) => this.#queue(kind, name, command, data, number, limit),
    // Time limits are the only thing that a client that is not started is driven for.
    () => this.isStarted() || this.#native.awaitTimeLimits(this.#core.onEvents),
  )
  /** Whether the last event was `connect`. */
  #announced = false

  constructor(options, handlers) {
    super(options, native.Client)
    this.#native = this.#core.native
    this.#peer = this.#socket()
    this.#core.listen(this.#listener())
    if (handlers !== undefined && handlers !== null) this.addHandlers(handlers)
  }

  get name() {
    return this.#peer.name
  }

  get uuid() {
    return this.#peer.uuid
  }

  get queued() {
    this.#core.outgoing.flush()
    const [messages, bytes] = this.#native.queued()
    return { messages, bytes }
  }

  isConnected() {
    return this.#native.isConnected
  }

  connect() {
    this.#core.start(onEvents => this.#native.connect(onEvents))
    this.#closed = false
    return new Promise((resolve, reject) => {
      this.#connecting = { resolve, reject }
      this.#core.schedule()
    })
  }

  send(command, data, delivery) {
    // Only protocol 1 transmits the id of a delivery; the message itself has no answer.
    return this.#push(SEND, delivery ?? '', command, data)
  }

  emit(name, command, data) {
    if (isListenerEvent(name, data)) return super.emit(name, command, data)
    return this.#push(EMIT, name, command, data)
  }

  broadcast(command, data) {
    return this.#push(BROADCAST, '', command, data)
  }

  discover() {
    this.#discovery ??= this.#deliveries
      .ask(DISCOVER, '', '', undefined)
      .then(withAlias)
      .finally(() => {
        this.#discovery = null
      })
    return this.#discovery
  }

  deliver(name, command, data, options) {
    // There is no name if there are two arguments, or if the third is undefined and the second can't be a command.
    // biome-ignore lint/complexity/noArguments: rest parameters would cost an array for each delivery.
    if (arguments.length < 3 || (data === undefined && typeof command !== 'string')) {
      return this.#deliveries.ask(REQUEST, '', name, command, undefined)
    }
    return this.#deliveries.ask(REQUEST, name ?? '', command, data, options)
  }

  close() {
    if (this.#core.isClosing) return this.#core.close()
    this.#closed = true
    if (!this.isStarted()) {
      this.#core.outgoing.flush()
      this.#native.close()
      this.#core.drain()
      this.#end(closedError())
      return Promise.resolve()
    }
    return this.#core.close()
  }

  // --- outgoing ---

  #push(kind, name, command, data) {
    try {
      this.#queue(kind, name, command, data, 0, 0)
    } catch (error) {
      const rejected = Promise.reject(error)
      return this.#closed ? quiet(rejected) : rejected
    }
    return this.#oneWay.next()
  }

  #queue(kind, name, command, data, request, limit) {
    if (this.#closed) throw closedError()
    const [payload, bytes] = encode(data)
    // Only now: `encode` may call functions of the program, which may send.
    const { outgoing } = this.#core
    outgoing.route(kind, name, command)
    outgoing.send(payload, bytes, request, limit)
  }

  // --- incoming ---

  #listener() {
    return {
      server: null,
      peer: () => this.#peer,
      answered: (request, data, failed) => this.#deliveries.answer(request, data, failed),
      settled: count => this.#oneWay.resolve(count),
      event: (kind, values) => this.#event(kind, values),
    }
  }

  #event(kind, values) {
    switch (kind) {
      case REJECTED:
        this.#oneWay.reject(ipcError(values[0], values[1]))
        break
      case TIMED_OUT:
        this.#deliveries.expire(values[1], values[2])
        break
      case CONNECTED:
        this.#peer.uuid = values[0]
        this.#connecting?.resolve()
        this.#connecting = null
        this.#announced = true
        this.#core.announce('connect')
        break
      case DISCONNECTED:
        this.#disconnected()
        break
      case WAITING:
        this.#core.announce('waiting', { path: this.#native.path, reason: ipcError(values[0], values[1]) })
        break
      case DRAINED:
        this.#core.announce('drain')
        break
      case REFUSED:
        this.#end(ipcError(values[0], values[1]))
        break
      case CLOSED:
        this.#disconnected()
        this.#end(closedError())
        break
      default:
        throw inconsistent(`clients do not know the kind ${kind} of events`)
    }
  }

  #disconnected() {
    if (!this.#announced) return
    this.#announced = false
    this.#core.announce('disconnect')
    this.#peer.announce('close')
  }

  /** The client is closed or refused: rejects everything that is not settled. */
  #end(error) {
    this.#core.outgoing.discard()
    this.#peer.uuid = null
    this.#connecting?.reject(error)
    this.#connecting = null
    this.#oneWay.rejectAll(error)
    this.#deliveries.rejectAll(error)
    this.#core.ended()
  }

  #socket() {
    return new Socket(null, this.#native.name, {
      write: (command, data, delivery) => {
        this.#queue(SEND, delivery ?? '', command, data, 0, 0)
        this.#oneWay.next().catch(() => {})
      },
      isWritable: () => this.isConnected(),
      isBlocked: () => false,
      disconnect: () => this.#core.disconnect(),
    })
  }
}

/** Adds the second name of the list of commands, which is not enumerable. */
function withAlias(found) {
  return Object.defineProperty(found, 'handlers', {
    value: found.command_handlers,
    writable: true,
    configurable: true,
    enumerable: false,
  })
}

module.exports = { Client }
