'use strict'

/** A value for the sentence of an error, with strings in quotes. It never throws. */
function describe(value) {
  if (typeof value === 'string') return JSON.stringify(value)
  try {
    return String(value)
  } catch {
    return typeof value === 'function' ? 'a function' : 'an object that has no text'
  }
}

module.exports = { describe }
