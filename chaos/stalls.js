'use strict'

/**
 * How long the event loop of this thread was blocked. Time in which the process was ready and others had the CPU
 * does not count, if the system reports it.
 */

const fs = require('node:fs')
const { clock } = require('./journal')

const STEP = 20

/** Shorter stalls are ignored. */
const WORTH_KEEPING = 50

/** How long a process may need to recover after it was stopped. */
const GRACE = 100

class StallMeter {
  /** Each has the time when it `ended`, and its length, in milliseconds. */
  stalls = []
  #last = clock()
  #waited = waitedForCpu()
  #timer

  constructor() {
    this.#timer = setInterval(() => this.#step(), STEP)
    this.#timer.unref()
  }

  /** The stalls since the last call. */
  take() {
    this.#step()
    return this.stalls.splice(0)
  }

  #step() {
    const now = clock()
    const waited = waitedForCpu()
    const length = now - this.#last - STEP - (waited - this.#waited)
    if (length > WORTH_KEEPING) this.stalls.push({ ended: now, length: Math.round(length) })
    this.#last = now
    this.#waited = waited
  }
}

/** Whether a stall comes from a stopped process: `stopped` has when each stop began and ended. */
function isOfStop({ ended, length }, stopped) {
  return stopped.some(({ from, to }) => ended >= from && ended - length <= to + GRACE)
}

/** Milliseconds. */
function waitedForCpu() {
  try {
    return Number(fs.readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[1]) / 1e6
  } catch {
    return 0
  }
}

module.exports = { StallMeter, isOfStop }
