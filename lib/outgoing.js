'use strict'

const native = require('./binding.js')
const { longestRun } = require('./constants.js')
const { errorFrom } = require('./errors.js')

/** Stands for a client's own messages where otherwise the session is whose deliveries are answered. */
const MESSAGES = -1

/**
 * What an instance gives to the native side. A call costs more than the text that it carries, so small messages of one
 * tick that go to the same place are gathered, and so are answers: they cross as a run, a line each.
 */
class Outgoing {
  #id
  #schedule
  /** How long a text may be that is gathered; 0 until something in this tick crossed alone. */
  #gathers = 0
  #texts = ''
  #count = 0
  /** Where the run goes, and the number of its first delivery, or 0. */
  #session = MESSAGES
  #first = 0

  /** `schedule()` sees to it that `end` is called at the end of this tick. */
  constructor(id, schedule) {
    this.#id = id
    this.#schedule = schedule
  }

  /**
   * A client's message along its route. `request` is the delivery's number, or 0. `limit` is 0, or its time in
   * milliseconds and 1 more.
   */
  send(payload, bytes, request, limit) {
    if (limit === 0 && this.#gather(MESSAGES, payload, bytes, request)) return
    this.call(native.send, payload, bytes, request, limit)
  }

  /** The answer to a delivery. */
  respond(session, request, payload, bytes) {
    if (this.#gather(session, payload, bytes, request)) return
    this.call(native.respond, session, request, 0, payload, bytes)
  }

  /** Calls a raw native function for this instance, behind all that was gathered. Throws what it refuses. */
  call(method, a, b, c, d, e) {
    this.flush()
    this.#accept(method(this.#id, a, b, c, d, e))
  }

  /** The tick ends: all that was gathered crosses, and the next message goes alone again. */
  end() {
    this.flush()
    this.#gathers = 0
  }

  /** What was gathered crosses. */
  flush() {
    if (this.#count === 0) return
    const texts = this.#texts
    this.discard()
    if (this.#session === MESSAGES) this.#accept(native.sendRun(this.#id, texts, this.#first))
    else this.#accept(native.respondRun(this.#id, this.#session, texts, this.#first))
  }

  /** What was gathered never crosses. */
  discard() {
    this.#texts = ''
    this.#count = 0
  }

  /** Adds a text to the run, if it is one that may be, and goes where the others go. */
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
