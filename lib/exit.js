'use strict'

const native = require('./binding.js')

let registered = false

/** On `process.exit` and uncaught exceptions no cleanup hook of Node's runs: sockets are taken away here. */
function unlinkOnExit() {
  if (registered) return
  registered = true
  process.on('exit', () => native.unlinkAll())
}

module.exports = { unlinkOnExit }
