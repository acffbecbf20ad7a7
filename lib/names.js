'use strict'

const { describe } = require('./describe.js')
const { invalidArgument } = require('./errors.js')

/** Throws if no command can have the name. Rust checks the rest. */
function checkCommand(command) {
  if (typeof command !== 'string') {
    throw invalidArgument(`The command must be a string, not ${describe(command)}.`)
  }
}

/** Throws if no client can have the name. */
function checkName(name) {
  if (typeof name !== 'string') {
    throw invalidArgument(`The client's name must be a string, not ${describe(name)}.`)
  }
}

module.exports = { checkCommand, checkName }
