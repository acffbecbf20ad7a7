'use strict'

const { setImmediate } = require('node:timers')

/** As they are by themselves: what replaces them later, as a test that fakes the time does, may never call back. */
const { nextTick } = process
const { then } = Promise.prototype
const resolved = Promise.resolve()

/** Whether they have been seen to call back. They may have been fakes already when this was loaded. */
let works = false
let late = false
nextTick(() => {
  works = !late
})
setImmediate(() => {
  late = true
}).unref?.()

/** Calls `callback` with `argument` and `other` behind what runs now, before anything else of the event loop. */
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
