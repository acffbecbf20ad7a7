'use strict'

const { EventEmitter } = require('node:events')
const { Core } = require('./core.js')
const { refusable } = require('./errors.js')
const { nativeOptions } = require('./options.js')

/** The core of an instance, for the classes that extend Instance. Programs cannot reach it. */
let coreOf

/** What Server and Client have in common for programs. */
class Instance extends EventEmitter {
  #core
  #domain

  static {
    coreOf = instance => instance.#core
  }

  constructor(options, Native) {
    super()
    const checked = nativeOptions(options)
    this.#domain = checked.domain
    this.#core = new Core(
      this,
      refusable(() => new Native(checked)),
      checked.verbose,
    )
  }

  get verbose() {
    return this.#core.verbose
  }

  set verbose(value) {
    this.#core.verbose = value
  }

  get domain() {
    return this.#domain
  }

  isStarted() {
    return this.#core.native.isStarted
  }

  addHandlers(handlers) {
    this.#core.addHandlers(handlers)
    return this
  }

  /** Called by EventEmitter if `captureRejections` is set. */
  [Symbol.for('nodejs.rejection')](error, event) {
    this.#core.rejected(error, event)
  }
}

module.exports = { Instance, coreOf }
