'use strict'

const { setImmediate } = require('node:timers')

/** The original functions: their replacements, as in a test that fakes timers, may never call back. */
const { nextTick } = process
const { then } = Promise.prototype
const resolved = Promise.resolve()

/** Whether they have called back before. They may already have been fakes when this was loaded. */
let works = false
let late = false
nextTick(() => {
  works = !late
})
setImmediate(() => {
  late = true
}).unref?.()

/** Calls `callback` with `argument` and `other` after the current code, before other work of the event loop. */
function later(callback, argument, other) {
  if (works) nextTick(callback, argument, other)
  else then.call(resolved, () => callback(argument, other))
}

/** Calls `callback` after the other work of the event loop that is due now. */
function afterOthers(callback) {
  if (late) setImmediate(callback)
  else later(callback)
}

module.exports = { afterOthers, later }
