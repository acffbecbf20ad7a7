'use strict'

const native = require('./binding.js')
const { longestRun } = require('./constants.js')
const { errorFrom } = require('./errors.js')
const { checkCommand, checkName } = require('./names.js')

/** In place of a session whose deliveries are answered: the run consists of a client's own messages. */
const MESSAGES = -1

/**
 * What an instance passes to the native side. A call costs more than the text that it carries, so small messages of one
 * tick with the same route are gathered, and so are answers: they cross as a run, one per line.
 */
class Outgoing {
  #id
  #schedule
  /** The longest text that is gathered; 0 until something in this tick has crossed alone. */
  #gathers = 0
  #texts = ''
  #count = 0
  /** The route of the run, and the number of its first delivery, or 0. */
  #session = MESSAGES
  #first = 0
  /** The route of the messages that follow: their kind, receiver and command. Most go where the one before went. */
  #kind
  #name
  #command

  /** `schedule()` makes sure that `end` is called at the end of this tick. */
  constructor(id, schedule) {
    this.#id = id
    this.#schedule = schedule
  }

  /** Sets the route of the messages that follow. Throws for what no name can be. */
  route(kind, name, command) {
    if (command === this.#command && name === this.#name && kind === this.#kind) return
    checkCommand(command)
    checkName(name)
    this.call(native.route, kind, name, command)
    this.#kind = kind
    this.#name = name
    this.#command = command
  }

  /**
   * Passes a client's message on, along its route. `request` is the delivery's number, or 0. `limit` is its time limit in
   * milliseconds plus 1, or 0.
   */
  send(payload, bytes, request, limit) {
    if (limit === 0 && this.#gather(MESSAGES, payload, bytes, request)) return
    this.call(native.send, payload, bytes, request, limit)
  }

  /** Passes the answer to a delivery on. */
  respond(session, request, payload, bytes) {
    if (this.#gather(session, payload, bytes, request)) return
    this.call(native.respond, session, request, 0, payload, bytes)
  }

  /** Calls a raw native function for this instance, after everything that was gathered. Throws its errors. */
  call(method, a, b, c, d, e) {
    this.flush()
    this.#accept(method(this.#id, a, b, c, d, e))
  }

  /** Ends the tick: passes on everything that was gathered, and the next message crosses alone again. */
  end() {
    this.flush()
    this.#gathers = 0
  }

  /** Passes on everything that was gathered. */
  flush() {
    if (this.#count === 0) return
    const texts = this.#texts
    this.discard()
    if (this.#session === MESSAGES) this.#accept(native.sendRun(this.#id, texts, this.#first))
    else this.#accept(native.respondRun(this.#id, this.#session, texts, this.#first))
  }

  /** Discards everything that was gathered. */
  discard() {
    this.#texts = ''
    this.#count = 0
  }

  /** Adds a text to the run, if it is small enough and has the same route. */
  #gather(session, payload, bytes, number) {
    if (bytes !== 0 || payload.length > this.#gathers) return false
    if (this.#count === 0) {
      this.#session = session
      this.#first = number
      this.#texts = payload
    } else {
      if (session !== this.#session || number !== (this.#first && this.#first + this.#count)) return false
      this.#texts += `\n${payload}`
    }
    this.#count++
    if (this.#texts.length >= longestRun) this.flush()
    return true
  }

  #accept(result) {
    if (result === undefined) return
    if (typeof result === 'string') throw errorFrom(result)
    this.#gathers = result
    this.#schedule()
  }
}

module.exports = { Outgoing }
