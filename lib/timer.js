'use strict'

// What is replaced later, as by a test that fakes the time, is not used here: a promise would never settle.
const { clearTimeout, setTimeout } = require('node:timers')

/** The longest wait of one of Node's timers, in milliseconds; a longer one would be over at once. */
const LONGEST = 2 ** 31 - 1

/** Calls `callback` once, after any number of milliseconds. Returns the function that prevents it. */
function after(milliseconds, callback) {
  let left = milliseconds
  let timer
  const wait = () => {
    const now = Math.min(left, LONGEST)
    left -= now
    timer = setTimeout(left > 0 ? wait : callback, now)
  }
  wait()
  return () => clearTimeout(timer)
}

/** The same for a short wait that does not keep the process alive. */
function afterwards(milliseconds, callback) {
  const timer = setTimeout(callback, milliseconds)
  // A fake that was there before this was loaded may return a number.
  timer?.unref?.()
  return () => clearTimeout(timer)
}

module.exports = { after, afterwards }
