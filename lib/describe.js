'use strict'

/** A value in an error's sentence: texts are quoted. Whatever it is, this does not throw. */
function describe(value) {
  if (typeof value === 'string') return JSON.stringify(value)
  try {
    return String(value)
  } catch {
    return typeof value === 'function' ? 'a function' : 'an object that has no text'
  }
}

module.exports = { describe }
