'use strict'

const { EventEmitter } = require('node:events')
const { setImmediate } = require('node:timers')
const native = require('./binding.js')
const { refusable } = require('./errors.js')
const { later } = require('./tick.js')

/**
 * `container.socket`: the part of a `net.Socket` that programs for 0.6.2 use to write to the other side. It stays the
 * same when the client reconnects.
 *
 * `peer` does the work: `write(command, data, delivery)`, `isWritable()`, `isBlocked()` and `disconnect()`.
 */
class Socket extends EventEmitter {
  #peer
  #credentials = null

  constructor(uuid, name, peer) {
    super()
    /** The id of the session. */
    this.uuid = uuid
    /** The client's name. */
    this.name = name
    this.#peer = peer
  }

  /** The process behind the connection, where that is known: a server's clients have one. */
  get credentials() {
    return this.#credentials
  }

  set credentials(credentials) {
    this.#credentials = credentials
  }

  get writable() {
    return this.#peer.isWritable()
  }

  get destroyed() {
    return !this.#peer.isWritable()
  }

  /** Sends a command to the other side. Calls `callback` once it is on its way. */
  writeCommand(command, data, callback) {
    return this.#write([{ command, data }], callback)
  }

  /** Sends the messages of a text in the form of protocol 1. */
  write(text, encoding, callback) {
    const done = typeof encoding === 'function' ? encoding : callback
    return this.#write(refusable(() => native.splitMessages(String(text))).map(JSON.parse), done)
  }

  /** Ends the connection once everything is written. A client reconnects by itself. */
  end(...written) {
    if (written.length > 0 && typeof written[0] !== 'function') this.write(...written)
    setImmediate(() => this.#peer.disconnect())
    return this
  }

  /** Ends the connection at once. A client reconnects by itself. */
  destroy() {
    this.#peer.disconnect()
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
      for (const { command, data, delivery } of messages) this.#peer.write(command, data, delivery)
    } catch (error) {
      // A client may leave at any time; that is not a mistake of the program that writes to it.
      if (typeof callback !== 'function' && error.code !== 'ERR_IPC_CLIENT_LEFT') throw error
      failure = error
    }
    if (typeof callback === 'function') later(callback, failure)
    return failure === null && !this.#peer.isBlocked()
  }
}

module.exports = { Socket }
