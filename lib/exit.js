'use strict'

/**
 * The end of the process, or of a worker: messages are written as far as the sockets take them at once, and the files of
 * the sockets are removed. Node runs no cleanup hooks after `process.exit()` and uncaught exceptions.
 */

const native = require('./binding.js')

/** The started instances, in the order in which they were started. */
const started = new Set()

let isRegistered = false
let ending = false

/** From now on, the messages of this instance are written before the process ends. */
function watchOver(core) {
  started.add(core)
  if (isRegistered) return
  isRegistered = true
  process.on('exit', () => {
    // Other listeners of this event may send too: from now on their messages are written at once.
    ending = true
    for (const each of started) each.write()
    native.unlinkAll()
  })
}

/** Forgets an instance that is closed. */
function release(core) {
  started.delete(core)
}

/** Whether the process is ending, so that messages must be written at once. */
function isEnding() {
  return ending
}

module.exports = { isEnding, release, watchOver }
