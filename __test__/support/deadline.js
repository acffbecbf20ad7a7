'use strict'

/** Waits that fail with a sentence instead of hanging. No test asserts how long anything takes. */

const { setTimeout: sleep } = require('node:timers/promises')

module.exports = { within, until, eventOf, turns }

const PATIENCE = 20_000

/** What `promise` settles with; rejects if that takes too long. */
function within(promise, what, patience = PATIENCE) {
  const late = new Error(`Waited ${patience / 1000} s for ${what}.`)
  let timer
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(late), patience)
  })
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer))
}

/** Resolves to what `condition` returns once that is truthy. */
async function until(condition, what, patience = PATIENCE) {
  const late = new Error(`Waited ${patience / 1000} s until ${what}.`)
  const end = Date.now() + patience
  for (;;) {
    const value = condition()
    if (value) return value
    if (Date.now() > end) throw late
    await sleep(2)
  }
}

/** The first argument of the next event of this name. An `error` event is not taken for a failure. */
function eventOf(emitter, name) {
  const event = new Promise(resolve => emitter.once(name, resolve))
  return within(event, `the event '${name}'`)
}

/** Lets the event loop run a few times, so that pending work can happen. */
async function turns(count = 5) {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}
