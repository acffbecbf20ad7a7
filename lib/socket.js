'use strict'

const { EventEmitter } = require('node:events')
const { setImmediate } = require('node:timers')
const native = require('./binding.js')
const { refusable } = require('./errors.js')
const { later } = require('./tick.js')

/**
 * The other side of a connection, as `container.socket` gives it: as much of a `net.Socket` as programs for
 * 0.6.2 use. It stays the same through all connections of the client.
 *
 * `link` does the work: `write(command, data, delivery)`, `isWritable()`, `isBlocked()` and `disconnect()`.
 */
class Socket extends EventEmitter {
  #link

  constructor(uuid, name, link) {
    super()
    /** The id of the session. */
    this.uuid = uuid
    /** The client's name. */
    this.name = name
    this.#link = link
  }

  get writable() {
    return this.#link.isWritable()
  }

  get destroyed() {
    return !this.#link.isWritable()
  }

  /** Sends a command straight to the other side. `callback` is called once it is on its way. */
  writeCommand(command, data, callback) {
    return this.#write([{ command, data }], callback)
  }

  /** Sends what is written as whole messages of protocol 1, one behind another. */
  write(text, encoding, callback) {
    const done = typeof encoding === 'function' ? encoding : callback
    return this.#write(refusable(() => native.splitMessages(String(text))).map(JSON.parse), done)
  }

  /** Ends the connection once everything is written. A client comes back by itself. */
  end(...written) {
    if (written.length > 0 && typeof written[0] !== 'function') this.write(...written)
    setImmediate(() => this.#link.disconnect())
    return this
  }

  /** Ends the connection at once. A client comes back by itself. */
  destroy() {
    this.#link.disconnect()
    return this
  }

  /** Emits an event. What a listener throws is uncaught, and disturbs nothing else. */
  announce(event) {
    try {
      this.emit(event)
    } catch (error) {
      later(() => {
        throw error
      })
    }
  }

  #write(messages, callback) {
    let failure = null
    try {
      for (const { command, data, delivery } of messages) this.#link.write(command, data, delivery)
    } catch (error) {
      // A client may leave at any time; that is not a mistake of the program that writes to it.
      if (typeof callback !== 'function' && error.code !== 'ERR_IPC_CLIENT_LEFT') throw error
      failure = error
    }
    if (typeof callback === 'function') later(callback, failure)
    return failure === null && !this.#link.isBlocked()
  }
}

module.exports = { Socket }
