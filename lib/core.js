'use strict'

const { EventEmitter } = require('node:events')
const native = require('./binding.js')
const { eventLengths, events, flags } = require('./constants.js')
const { Container } = require('./container.js')
const { describe } = require('./describe.js')
const { invalidArgument, ipcError, refusable } = require('./errors.js')
const { isEnding, release, watchOver } = require('./exit.js')
const { describeFailure, describeThrown, isError } = require('./failure.js')
const { Outgoing } = require('./outgoing.js')
const { isBytes, toBuffer, toText } = require('./payload.js')
const { inconsistent } = require('./refusals.js')
const { afterOthers, later } = require('./tick.js')

const { MESSAGE, ANSWER, FAILURE, SETTLED } = events
const { REDELIVERED, ATTACHED } = flags

/** The number of entries in front of a run's payloads. The last of these entries is the count of payloads. */
const MESSAGE_HEADER = eventLengths[MESSAGE]
const ANSWER_HEADER = eventLengths[ANSWER]

/** The session of a client, which has only one: its server's. */
const SERVER = 0

/** In place of the data of a text that is not JSON. */
const INVALID = Symbol('invalid')

/** What a delivery fails with if its data or its answer is not JSON. */
const INVALID_JSON = {
  name: 'Error',
  message: 'The other side sent invalid JSON; check whether it runs ipcio.',
  code: 'ERR_IPC_INVALID_JSON',
}

/** EventEmitter's `emit`. That of Server and Client sends a message. */
const announce = EventEmitter.prototype.emit

/** The original method: a promise may have its own. */
const { then } = Promise.prototype

/** What drives a Server and a Client: the native instance, its events, and the handlers. */
class Core {
  #owner
  #listener = null
  #handlers = []
  #commands = []
  #isScheduled = false
  #verbose
  /** While the instance closes: the promise for that, and the function that resolves it. */
  #closing = null

  /** `owner` is the Server or Client, `instance` the native one. */
  constructor(owner, instance, verbose) {
    this.#owner = owner
    this.#verbose = verbose
    this.native = instance
    this.id = instance.id
    /** Passes messages and answers to the native side. */
    this.outgoing = new Outgoing(this.id, () => this.schedule())
  }

  /**
   * Sets the receiver of all events. `listener` has `peer(session)`, `server`, `answered(request, data, failed)`,
   * `settled(count)` and `event(kind, values)`.
   */
  listen(listener) {
    this.#listener = listener
  }

  get verbose() {
    return this.#verbose
  }

  set verbose(value) {
    this.#verbose = Boolean(value)
    this.native.verbose = this.#verbose
  }

  /** The native side calls this with a batch of events, or without one if the rest waits for other work of the event loop. */
  get onEvents() {
    return (text, attachments) => {
      if (text === undefined) afterOthers(() => native.resume(this.id))
      else this.#handle(JSON.parse(text), attachments)
    }
  }

  /** Calls `begin`, which starts the native instance, with the function for its events. Throws its errors. */
  start(begin) {
    refusable(() => begin(this.onEvents))
    watchOver(this)
  }

  get isClosing() {
    return this.#closing !== null
  }

  /** Closes the native instance. The promise resolves in `ended`. */
  close() {
    if (this.#closing !== null) return this.#closing.promise
    let resolve
    const promise = new Promise(resolvePromise => {
      resolve = resolvePromise
    })
    this.#closing = { promise, resolve }
    this.outgoing.flush()
    this.native.close()
    this.schedule()
    return promise
  }

  /** Called when the native instance is closed. */
  ended() {
    release(this)
    this.#closing?.resolve()
    this.#closing = null
  }

  /** Ends the connection of a session once everything that was sent is on its way. */
  disconnect(session) {
    this.outgoing.flush()
    this.native.disconnect(session)
    this.schedule()
  }

  addHandlers(collection) {
    if (typeof collection !== 'object' || collection === null) {
      throw invalidArgument(`The handlers must be an object of functions, not ${describe(collection)}.`)
    }
    const entries = Object.entries(collection)
    for (const [command, handler] of entries) {
      if (typeof handler !== 'function') {
        throw invalidArgument(
          `The handler of ${describe(command)} must be a function, not ${typeof handler}.`,
        )
      }
    }
    refusable(() => this.native.addCommands(entries.map(([command]) => command)))
    for (const [command, handler] of entries) {
      this.#commands.push(command)
      this.#handlers.push(handler)
    }
  }

  /** Plans a dispatch at the end of this tick, so that all messages of the tick are written together. */
  schedule() {
    if (isEnding()) {
      this.write()
      return
    }
    if (this.#isScheduled) return
    this.#isScheduled = true
    later(runDispatch, this)
  }

  /** Writes what was queued, and handles the events that follow from it. */
  dispatch() {
    this.#isScheduled = false
    this.outgoing.end()
    native.dispatch(this.id)
  }

  /** Writes what was queued, and handles all events that there are. */
  drain() {
    this.outgoing.end()
    native.drain(this.id)
  }

  /** Writes what was queued, as far as the sockets take it now. Handles no events. */
  write() {
    this.outgoing.end()
    native.flush(this.id)
  }

  /** Emits an event of the owner. An exception of a listener is uncaught, and does not interrupt this code. */
  announce(event, ...values) {
    try {
      announce.call(this.#owner, event, ...values)
    } catch (error) {
      later(rethrow, error)
    }
  }

  /** A listener that is an async function has failed, and `captureRejections` is set. */
  rejected(error, event) {
    if (event === 'error') later(rethrow, error)
    else later(emitError, this.#owner, error)
  }

  #handle(batch, attachments) {
    let at = 0
    while (at < batch.length) {
      const kind = batch[at]
      switch (kind) {
        case MESSAGE:
          at = this.#messages(batch, at, attachments)
          break
        case ANSWER:
        case FAILURE:
          at = this.#answers(batch, at, attachments)
          break
        case SETTLED:
          this.#listener.settled(batch[at + 1])
          at += eventLengths[SETTLED]
          break
        default: {
          const end = at + lengthOf(kind)
          this.#event(kind, batch.slice(at + 1, end))
          at = end
        }
      }
    }
  }

  /** An exception of one event does not prevent the others. */
  #event(kind, values) {
    try {
      this.#listener.event(kind, values)
    } catch (error) {
      later(rethrow, error)
    }
  }

  /** A run of answers: kind, flags, number of the first request, count, then the data of each. */
  #answers(batch, at, attachments) {
    const failed = batch[at] === FAILURE
    const isAttached = (batch[at + 1] & ATTACHED) !== 0
    const first = batch[at + 2]
    const start = at + ANSWER_HEADER
    const end = start + batch[at + 3]
    for (let next = start, request = first; next < end; next++, request++) {
      const data = isAttached ? this.#parse(attachments[batch[next]], SERVER) : batch[next]
      if (data === INVALID) this.#listener.answered(request, INVALID_JSON, true)
      else this.#listener.answered(request, data, failed)
    }
    return end
  }

  /**
   * A run of messages: kind, session, command, sender, flags, number of the first request or 0, count, then the data
   * of each.
   */
  #messages(batch, at, attachments) {
    const session = batch[at + 1]
    const handler = this.#handlers[batch[at + 2]]
    const command = this.#commands[batch[at + 2]]
    const from = batch[at + 3]
    const isAttached = (batch[at + 4] & ATTACHED) !== 0
    const redelivered = (batch[at + 4] & REDELIVERED) !== 0
    const first = batch[at + 5]
    const step = first === 0 ? 0 : 1
    const { server } = this.#listener
    const peer = this.#listener.peer(session)
    const start = at + MESSAGE_HEADER
    const end = start + batch[at + 6]
    for (let next = start, request = first; next < end; next++, request += step) {
      const data = isAttached ? this.#parse(attachments[batch[next]], session) : batch[next]
      if (data !== INVALID) {
        this.#call(handler, session, request, new Container(data, peer, from, server, redelivered, command))
      } else if (request !== 0) {
        this.#failed(session, request, INVALID_JSON)
      }
    }
    return end
  }

  /**
   * The data of an attachment: raw bytes, or a large text, which Rust has not checked. If the text is not JSON, its session
   * loses the connection.
   */
  #parse(attachment, session) {
    if (typeof attachment === 'object') return attachment
    try {
      // The attachment is undefined if it was too long for a string.
      return JSON.parse(attachment)
    } catch {
      this.native.distrust(session)
      this.schedule()
      return INVALID
    }
  }

  #call(handler, session, request, container) {
    let result
    try {
      result = handler.call(this.#owner, container)
      // Reading `then` and calling it may throw.
      if (typeof result?.then === 'function') {
        then.call(
          Promise.resolve(result),
          value => this.#respond(session, request, value),
          error => this.#failed(session, request, error),
        )
        return
      }
    } catch (error) {
      this.#failed(session, request, error)
      return
    }
    this.#respond(session, request, result)
  }

  #respond(session, request, value) {
    if (request === 0) return
    try {
      const [payload, bytes] = encode(value)
      this.outgoing.respond(session, request, payload, bytes)
    } catch (error) {
      this.#failed(session, request, error)
    }
  }

  /** A handler failed. The error of a delivery goes to its sender, any other to the listeners of `error`. */
  #failed(session, request, error) {
    if (request === 0) {
      // Later, because the error is uncaught if there is no listener, and the rest of this batch must still be handled.
      later(emitError, this.#owner, error)
      return
    }
    this.outgoing.call(native.respond, session, request, 1, JSON.stringify(describeFailure(error)), 0)
  }
}

/** How many entries an event of this kind has. An unknown kind can't be skipped. */
function lengthOf(kind) {
  const length = eventLengths[kind]
  if (length === undefined) throw inconsistent(`the JavaScript does not know the kind ${kind} of events`)
  return length
}

/**
 * Whether EventEmitter itself calls `emit`, as it does for added and removed listeners. A message to a client with such a
 * name never contains a function.
 */
function isListenerEvent(name, listener) {
  return (name === 'newListener' || name === 'removeListener') && typeof listener === 'function'
}

/** The payload, and whether it is raw bytes, for the native functions. */
function encode(data) {
  return isBytes(data) ? [toBuffer(data), 1] : [toText(data), 0]
}

function runDispatch(core) {
  core.dispatch()
}

function emitError(owner, error) {
  announce.call(owner, 'error', isError(error) ? error : thrownValue(error))
}

function thrownValue(value) {
  return ipcError(
    'ERR_IPC_HANDLER_THREW',
    `A handler threw ${describeThrown(value)}; throw an Error instead.`,
    value,
  )
}

function rethrow(error) {
  throw error
}

module.exports = { Core, encode, isListenerEvent }
