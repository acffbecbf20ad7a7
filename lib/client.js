'use strict'

const { EventEmitter } = require('node:events')
const native = require('./binding.js')
const { events, messages } = require('./constants.js')
const { Core, checkCommand, encode, tellsOfListener } = require('./core.js')
const { describe } = require('./describe.js')
const { closedError, invalidArgument, ipcError, refusable } = require('./errors.js')
const { release, watchOver } = require('./exit.js')
const { remoteError } = require('./failure.js')
const { nativeOptions } = require('./options.js')
const { PromiseQueue, PromiseTable, quiet } = require('./promises.js')
const { inconsistent } = require('./refusals.js')
const { abortReason, checkSignal, watchSignal } = require('./signals.js')
const { Socket } = require('./socket.js')
const { afterOthers } = require('./tick.js')
const { afterwards } = require('./timer.js')

const { REJECTED, TIMED_OUT, CONNECTED, DISCONNECTED, WAITING, DRAINED, REFUSED, CLOSED } = events
const { SEND, EMIT, BROADCAST, REQUEST, DISCOVER } = messages

/** How many deliveries whose time is over reject before others have their turn. */
const EXPIRED_AT_ONCE = 256

/** Milliseconds that a server that is there needs at most, as a rule, to be connected to. */
const SOON = 20

/** A client of a domain. Its documentation is in `index.d.ts`. */
class Client extends EventEmitter {
  #native
  #core
  #domain
  #peer
  #watch = null
  #soon
  #connecting = null
  #closing = null
  /** Whether it was closed, and not connected since. */
  #closed = false
  #discovery = null
  #oneWay = new PromiseQueue()
  #deliveries = new PromiseTable()
  /** Runs of deliveries whose time is over: the number of the first, and how many. */
  #expired = []
  /** Whether others have their turn before more of them reject. */
  #waitsForOthers = false
  #route = { kind: undefined, name: undefined, command: undefined }
  /** Whether the last event was `connect`. */
  #announced = false

  constructor(options, handlers) {
    super()
    const checked = nativeOptions(options)
    this.#domain = checked.domain
    this.#native = refusable(() => new native.Client(checked))
    this.#peer = this.#socket()
    this.#core = new Core(this, this.#native, this.#listener(), checked.verbose)
    if (handlers !== undefined && handlers !== null) this.addHandlers(handlers)
  }

  get verbose() {
    return this.#core.verbose
  }

  set verbose(value) {
    this.#core.verbose = value
  }

  get name() {
    return this.#peer.name
  }

  get domain() {
    return this.#domain
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

  isStarted() {
    return this.#native.isStarted
  }

  addHandlers(handlers) {
    this.#core.addHandlers(handlers)
    return this
  }

  connect() {
    refusable(() => this.#native.connect(this.#core.onEvents))
    this.#closed = false
    watchOver(this.#core)
    this.#soon = afterwards(SOON, () => this.#lookOut())
    return new Promise((resolve, reject) => {
      this.#connecting = { resolve, reject }
      this.#core.plan()
    })
  }

  send(command, data, delivery) {
    // A delivery's id is said on protocol 1 alone; nobody waits for its answer.
    return this.#push(SEND, delivery ?? '', command, data)
  }

  emit(name, command, data) {
    if (tellsOfListener(name, data)) return super.emit(name, command, data)
    return this.#push(EMIT, name, command, data)
  }

  broadcast(command, data) {
    return this.#push(BROADCAST, '', command, data)
  }

  discover() {
    this.#discovery ??= this.#request(DISCOVER, '', '', undefined)
      .then(withAlias)
      .finally(() => {
        this.#discovery = null
      })
    return this.#discovery
  }

  deliver(name, command, data, options) {
    // With two arguments, or a third that is undefined behind what can't be a command, the name is left out.
    // biome-ignore lint/complexity/noArguments: rest parameters would cost an array for each delivery.
    if (arguments.length < 3 || (data === undefined && typeof command !== 'string')) {
      return this.#request(REQUEST, '', name, command, undefined)
    }
    return this.#request(REQUEST, name ?? '', command, data, options)
  }

  close() {
    if (this.#closing !== null) return this.#closing.promise
    this.#closed = true
    if (!this.isStarted()) {
      this.#core.outgoing.flush()
      this.#native.close()
      this.#core.drain()
      this.#abandon(closedError())
      return Promise.resolve()
    }
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

  // --- what goes out ---

  #push(kind, name, command, data) {
    try {
      this.#queue(kind, name, command, data, 0, 0)
    } catch (error) {
      const rejected = Promise.reject(error)
      return this.#closed ? quiet(rejected) : rejected
    }
    return this.#oneWay.next()
  }

  #request(kind, name, command, data, options) {
    let timeout
    let signal
    if (options !== undefined && options !== null) {
      // What is read here is the program's, and may throw.
      try {
        timeout = options.timeout ?? undefined
        signal = options.signal ?? undefined
        checkLimits(timeout, signal)
        if (signal?.aborted) return Promise.reject(abortReason(signal))
      } catch (error) {
        return Promise.reject(error)
      }
    }
    const delivery = this.#deliveries.next()
    try {
      this.#queue(kind, name, command, data, delivery.number, limitOf(timeout))
    } catch (error) {
      this.#deliveries.take(delivery.number)
      delivery.reject(error)
      return delivery.promise
    }
    if (timeout !== undefined || signal) this.#limit(delivery, command, timeout, signal)
    return delivery.promise
  }

  #queue(kind, name, command, data, request, limit) {
    if (this.#closed) throw closedError()
    const [payload, bytes] = encode(data)
    // Behind what may call functions of the user's, which may send.
    const route = this.#route
    if (command !== route.command || name !== route.name || kind !== route.kind) {
      this.#turnTo(kind, name, command)
    }
    this.#core.outgoing.send(payload, bytes, request, limit)
  }

  /** Where messages go from now on. */
  #turnTo(kind, name, command) {
    checkCommand(command)
    if (typeof name !== 'string') {
      throw invalidArgument(`The client's name must be a string, not ${describe(name)}.`)
    }
    this.#core.outgoing.call(native.route, kind, name, command)
    this.#route = { kind, name, command }
  }

  /** Gives a delivery up after a time, or when its signal says so. */
  #limit(delivery, command, timeout, signal) {
    const limits = { command, timeout, unwatch: undefined }
    delivery.limits = limits
    if (signal) {
      limits.unwatch = watchSignal(signal, () => {
        if (this.#deliveries.take(delivery.number) === undefined) return
        limits.unwatch()
        this.#core.outgoing.call(native.cancel, delivery.number)
        delivery.reject(abortReason(signal))
      })
    }
    // Nobody drives a client that is not started, but for this.
    if (!this.isStarted()) this.#native.awaitTimeLimits(this.#core.onEvents)
  }

  /** Rejects deliveries whose time is over, as many as delay nobody. */
  #expire() {
    let left = EXPIRED_AT_ONCE
    while (left > 0 && this.#expired.length > 0) {
      const run = this.#expired[0]
      const count = Math.min(left, run.count)
      for (let request = run.first; request < run.first + count; request++) this.#timedOut(request)
      run.first += count
      run.count -= count
      left -= count
      if (run.count === 0) this.#expired.shift()
    }
    this.#waitsForOthers = true
    afterOthers(() => {
      this.#waitsForOthers = false
      if (this.#expired.length > 0) this.#expire()
    })
  }

  #timedOut(request) {
    const delivery = this.#deliveries.take(request)
    if (delivery === undefined) return
    const { command, timeout, unwatch } = delivery.limits
    unwatch?.()
    delivery.reject(
      ipcError(
        'ERR_IPC_TIMEOUT',
        `No answer to ${describe(command)} came within ${timeout} ms; allow more time, or check why the answer takes so long.`,
      ),
    )
  }

  // --- what comes in ---

  #listener() {
    return {
      server: null,
      peer: () => this.#peer,
      answered: (request, data, failed) => this.#answered(request, data, failed),
      settled: count => this.#oneWay.resolve(count),
      event: (kind, values) => this.#event(kind, values),
    }
  }

  #answered(request, data, failed) {
    const delivery = this.#deliveries.take(request)
    if (delivery === undefined) return
    delivery.limits?.unwatch?.()
    if (!failed) {
      delivery.resolve(data)
      return
    }
    delivery.reject(remoteError(data))
  }

  #event(kind, values) {
    switch (kind) {
      case REJECTED:
        this.#oneWay.reject(ipcError(values[0], values[1]))
        break
      case TIMED_OUT:
        this.#expired.push({ first: values[1], count: values[2] })
        if (!this.#waitsForOthers) this.#expire()
        break
      case CONNECTED:
        this.#peer.uuid = values[0]
        this.#unwatch()
        this.#connecting?.resolve()
        this.#connecting = null
        this.#announced = true
        this.#core.announce('connect')
        break
      case DISCONNECTED:
        this.#lookOut()
        this.#disconnected()
        break
      case WAITING:
        this.#core.announce('waiting', { path: this.#native.path, reason: ipcError(values[0], values[1]) })
        break
      case DRAINED:
        this.#core.announce('drain')
        break
      case REFUSED:
        this.#abandon(ipcError(values[0], values[1]))
        break
      case CLOSED:
        this.#disconnected()
        this.#abandon(closedError())
        break
      default:
        throw inconsistent(`clients do not know the kind ${kind} of events`)
    }
  }

  /** Looks out for a server that is not there, which is rare enough to load what it takes only then. */
  #lookOut() {
    if (this.#watch === null) {
      const { SocketWatch } = require('./watch.js')
      this.#watch = new SocketWatch(this.#native.path, () => {
        this.#native.lookAgain()
        this.#core.plan()
      })
    }
    this.#watch.start()
  }

  #unwatch() {
    this.#soon?.()
    this.#watch?.stop()
  }

  #disconnected() {
    if (!this.#announced) return
    this.#announced = false
    this.#core.announce('disconnect')
    this.#peer.announce('close')
  }

  /** Nothing that has not been settled ever will be. */
  #abandon(error) {
    release(this.#core)
    const deliveries = this.#deliveries.takeAll()
    this.#core.outgoing.discard()
    this.#peer.uuid = null
    this.#unwatch()
    this.#connecting?.reject(error)
    this.#connecting = null
    this.#oneWay.rejectAll(error)
    for (const delivery of deliveries) {
      delivery.limits?.unwatch?.()
      delivery.reject(error)
    }
    this.#closing?.resolve()
    this.#closing = null
  }

  #socket() {
    return new Socket(null, this.#native.name, {
      write: (command, data, delivery) => {
        this.#queue(SEND, delivery ?? '', command, data, 0, 0)
        this.#oneWay.next().catch(() => {})
      },
      isWritable: () => this.isConnected(),
      isBlocked: () => false,
      disconnect: () => {
        this.#core.outgoing.flush()
        this.#native.disconnect()
        this.#core.plan()
      },
    })
  }
}

/** Throws where the limits of a delivery are not what they have to be. */
function checkLimits(timeout, signal) {
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 0)) {
    throw invalidArgument(`The timeout must be a number of milliseconds, not ${describe(timeout)}.`)
  }
  if (signal !== undefined) checkSignal(signal)
}

/** How the native side is told of a time limit in milliseconds; a time that nobody can tell has none. */
function limitOf(timeout) {
  return timeout === undefined || timeout >= Number.MAX_SAFE_INTEGER ? 0 : Math.ceil(timeout) + 1
}

/** Both spellings of the list of commands; the second one is not shown. */
function withAlias(found) {
  return Object.defineProperty(found, 'handlers', {
    value: found.command_handlers,
    writable: true,
    configurable: true,
    enumerable: false,
  })
}

module.exports = { Client }
