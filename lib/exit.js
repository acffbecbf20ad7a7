'use strict'

/**
 * The end of the process, or of a worker: what was sent is written as far as the sockets take it at once, and the files of
 * sockets are removed. On `process.exit()` and uncaught exceptions no cleanup hook of Node's runs.
 */

const native = require('./binding.js')

/** The instances that are started, in the order in which they were. */
const started = new Set()

let isRegistered = false
let ending = false

/** From now on, what this instance was given to send is written before the process ends. */
function watchOver(core) {
  started.add(core)
  if (isRegistered) return
  isRegistered = true
  process.on('exit', () => {
    // Other listeners of this event may send as well: from now on that is written at once.
    ending = true
    for (const each of started) each.write()
    native.unlinkAll()
  })
}

/** The instance is closed. */
function release(core) {
  started.delete(core)
}

/** Whether there is no later moment to write anything. */
function isEnding() {
  return ending
}

module.exports = { isEnding, release, watchOver }
