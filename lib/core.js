'use strict'

const { EventEmitter } = require('node:events')
const native = require('./binding.js')
const { Container } = require('./container.js')
const { describe } = require('./describe.js')
const { invalidArgument, ipcError, refusable } = require('./errors.js')
const { isEnding } = require('./exit.js')
const { describeFailure, describeThrown, isError } = require('./failure.js')
const { Outgoing } = require('./outgoing.js')
const { isBytes, toBuffer, toText } = require('./payload.js')
const { afterOthers, later } = require('./tick.js')

// Kinds of events: see `node/src/batch.rs`.
const MESSAGE = 0
const ANSWER = 1
const FAILURE = 2
const SETTLED = 3
/** How many entries the other kinds have, by kind. */
const LENGTHS = [0, 0, 0, 2, 3, 2, 1, 3, 4, 2, 5, 2, 1, 4, 1, 1, 4, 3]

const REDELIVERED = 1
const APART = 2

/** The session of a client: its server. */
const SERVER = 0

/** Stands for a text that is no JSON. */
const INVALID = Symbol('invalid')

/** What a delivery fails with where the question or the answer is one. */
const INVALID_JSON = {
  name: 'Error',
  message: 'The other side sent invalid JSON; check whether it runs ipcio.',
  code: 'ERR_IPC_INVALID_JSON',
}

/** The method that `emit` of Server and Client, which sends a message, hides. */
const announce = EventEmitter.prototype.emit

/** As it is by itself: a promise may have one of its own. */
const { then } = Promise.prototype

/** What Server and Client have in common: handlers, the native instance, and its events. */
class Core {
  #owner
  #instance
  #listener
  #handlers = []
  #planned = false
  #verbose

  /**
   * `owner` is the Server or Client, `instance` the native one. `listener` gets the events: `peer(session)`,
   * `server`, `answered(request, data, failed)`, `settled(count)` and `event(kind, parts)`.
   */
  constructor(owner, instance, listener, verbose) {
    this.#owner = owner
    this.#instance = instance
    this.#listener = listener
    this.#verbose = verbose
    this.id = instance.id
    /** What goes to the native side. */
    this.outgoing = new Outgoing(this.id, () => this.plan())
  }

  get verbose() {
    return this.#verbose
  }

  set verbose(value) {
    this.#verbose = Boolean(value)
    this.#instance.verbose = this.#verbose
  }

  /** Called by the native side with a batch of events, or without, where the rest waits for others of the event loop. */
  get onEvents() {
    return (text, parts) => {
      if (text === undefined) afterOthers(() => native.resume(this.id))
      else this.#dispatch(JSON.parse(text), parts)
    }
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
    refusable(() => this.#instance.addCommands(entries.map(([command]) => command)))
    for (const [, handler] of entries) this.#handlers.push(handler)
  }

  /** What was queued is written at the end of this tick, together. */
  plan() {
    if (isEnding()) {
      this.write()
      return
    }
    if (this.#planned) return
    this.#planned = true
    later(runTurn, this)
  }

  /** Writes what was queued, and takes the events that it led to. */
  turn() {
    this.#planned = false
    this.outgoing.end()
    native.dispatch(this.id)
  }

  /** Writes what was queued, and takes all events there are, however many. */
  drain() {
    this.outgoing.end()
    native.drain(this.id)
  }

  /** Writes what was queued as far as the sockets take it now, and takes no events. */
  write() {
    this.outgoing.end()
    native.flush(this.id)
  }

  /** Announces an event of the owner. What a listener throws is uncaught, and disturbs nothing here. */
  announce(event, ...parts) {
    try {
      announce.call(this.#owner, event, ...parts)
    } catch (error) {
      later(rethrow, error)
    }
  }

  /** A listener that is an async function has failed, and `captureRejections` is set. */
  rejected(error, event) {
    if (event === 'error') later(rethrow, error)
    else later(emitError, this.#owner, error)
  }

  #dispatch(events, parts) {
    let at = 0
    while (at < events.length) {
      const kind = events[at]
      switch (kind) {
        case MESSAGE:
          at = this.#messages(events, at, parts)
          break
        case ANSWER:
        case FAILURE:
          at = this.#answers(events, at, parts)
          break
        case SETTLED:
          this.#listener.settled(events[at + 1])
          at += LENGTHS[SETTLED]
          break
        default:
          this.#event(kind, events.slice(at + 1, at + LENGTHS[kind]))
          at += LENGTHS[kind]
      }
    }
  }

  /** What goes wrong with one event costs none of the others. */
  #event(kind, parts) {
    try {
      this.#listener.event(kind, parts)
    } catch (error) {
      later(rethrow, error)
    }
  }

  /** A run of answers: kind, flags, the number of the first request, count, then the data of each. */
  #answers(events, at, parts) {
    const failed = events[at] === FAILURE
    const apart = (events[at + 1] & APART) !== 0
    const first = events[at + 2]
    const end = at + 4 + events[at + 3]
    for (let next = at + 4, request = first; next < end; next++, request++) {
      const data = apart ? this.#parse(parts[events[next]], SERVER) : events[next]
      if (data === INVALID) this.#listener.answered(request, INVALID_JSON, true)
      else this.#listener.answered(request, data, failed)
    }
    return end
  }

  /**
   * A run of messages: kind, session, command, from, flags, the number of the first request or 0, count, then the data
   * of each.
   */
  #messages(events, at, parts) {
    const session = events[at + 1]
    const handler = this.#handlers[events[at + 2]]
    const from = events[at + 3]
    const apart = (events[at + 4] & APART) !== 0
    const redelivered = (events[at + 4] & REDELIVERED) !== 0
    const first = events[at + 5]
    const step = first === 0 ? 0 : 1
    const { server } = this.#listener
    const peer = this.#listener.peer(session)
    const end = at + 7 + events[at + 6]
    for (let next = at + 7, request = first; next < end; next++, request += step) {
      const data = apart ? this.#parse(parts[events[next]], session) : events[next]
      if (data !== INVALID) {
        this.#call(handler, session, request, new Container(data, peer, from, server, redelivered))
      } else if (request !== 0) {
        this.#failed(session, request, INVALID_JSON)
      }
    }
    return end
  }

  /**
   * What stands apart: raw bytes as they are, or a large text, which nobody has looked at. One that is no JSON costs
   * its session the connection.
   */
  #parse(part, session) {
    if (typeof part === 'object') return part
    try {
      // It is undefined if it was too long for a string.
      return JSON.parse(part)
    } catch {
      this.#instance.distrust(session)
      this.plan()
      return INVALID
    }
  }

  #call(handler, session, request, container) {
    let result
    try {
      result = handler.call(this.#owner, container)
      // To ask for `then`, and to call it, may throw.
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

  /** A handler failed: whoever waits for its answer learns of it, otherwise the owner's listeners do. */
  #failed(session, request, error) {
    if (request === 0) {
      // Not now: without a listener it is uncaught, and the other events of this batch have to be dealt with.
      later(emitError, this.#owner, error)
      return
    }
    this.outgoing.call(native.respond, session, request, 1, JSON.stringify(describeFailure(error)), 0)
  }
}

/**
 * Whether a call of `emit` is EventEmitter's own, which tells of listeners that way. A client of that name is
 * sent no functions.
 */
function tellsOfListener(name, listener) {
  return (name === 'newListener' || name === 'removeListener') && typeof listener === 'function'
}

/** The payload and whether it is raw bytes, for the native functions. */
function encode(data) {
  return isBytes(data) ? [toBuffer(data), 1] : [toText(data), 0]
}

function checkCommand(command) {
  if (typeof command !== 'string') {
    throw invalidArgument(`The command must be a string, not ${describe(command)}.`)
  }
}

function runTurn(core) {
  core.turn()
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

module.exports = { Core, checkCommand, encode, tellsOfListener }
