'use strict'

/** The framing of protocol 1: JSON objects one behind another, with nothing in between. */

const { StringDecoder } = require('node:string_decoder')

module.exports = { textOf, messageOf }

/** A message as 0.6.2 writes it: the keys in this order, `data` left out where it is undefined. */
function textOf(id, command, data, delivery = null) {
  return JSON.stringify({ id, command, data, delivery })
}

/** A message read from its text. A payload that is falsy arrives as null there. */
function messageOf(text) {
  const message = JSON.parse(text)
  return { ...message, data: message.data || null }
}

/** Cuts what a socket reads into the texts of objects, however it is cut into reads. */
class Splitter {
  #decoder = new StringDecoder('utf8')
  #pending = ''
  #position = 0
  #start = 0
  #depth = 0
  #inString = false
  #escaped = false

  /** The objects that are complete with these bytes. */
  push(bytes) {
    this.#pending += this.#decoder.write(bytes)
    const complete = []
    for (; this.#position < this.#pending.length; this.#position++) {
      if (this.#step(this.#pending[this.#position])) {
        complete.push(this.#pending.slice(this.#start, this.#position + 1))
        this.#start = this.#position + 1
      }
    }
    this.#pending = this.#pending.slice(this.#start)
    this.#position -= this.#start
    this.#start = 0
    return complete
  }

  /** Whether an object ends with this character. */
  #step(character) {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (character === '\\') this.#escaped = true
      else if (character === '"') this.#inString = false
      return false
    }
    if (character === '"') this.#inString = true
    else if (character === '{') this.#depth++
    else if (character === '}') return --this.#depth === 0
    return false
  }
}

module.exports.Splitter = Splitter
