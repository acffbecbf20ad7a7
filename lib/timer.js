'use strict'

// What is replaced later, as by a test that fakes the time, is not used here: a promise would never settle.
const { clearTimeout, setTimeout } = require('node:timers')

/** Calls `callback` once, after a short wait that does not keep the process alive. Returns the function that prevents it. */
function afterwards(milliseconds, callback) {
  const timer = setTimeout(callback, milliseconds)
  // A fake that was there before this was loaded may return a number.
  timer?.unref?.()
  return () => clearTimeout(timer)
}

module.exports = { afterwards }
