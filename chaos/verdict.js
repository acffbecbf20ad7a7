'use strict'

/** The result of a campaign: figures for the table, and a sentence about each fault. */

const { Ledger } = require('./ledger')
const { until } = require('./processes')

/** How much memory may have grown, in MiB. */
const GROWTH = 30

/** How long memory and descriptors may take to be released, in milliseconds. */
const GOES_BACK_WITHIN = 10_000

/** How long an event loop may be blocked, in milliseconds. */
const LONGEST_STALL = 250

class Verdict {
  figures = {}
  faults = []

  fault(sentence) {
    this.faults.push(sentence)
  }

  /** Compares messages sent and received. `excused` are the codes that calls may be rejected with. */
  messages(processes, { allowedRewinds = 0, excused = [], exactlyOnce = false } = {}) {
    const { counts, rejected, examples } = new Ledger(processes, { allowedRewinds })
    const { sent, received, lost, reordered, unmarked, marked, wrong } = counts
    Object.assign(this.figures, { sent, received, lost, reordered, unmarked, marked })
    this.faults.push(...examples)
    if (wrong > 0) this.fault(`${wrong} messages or answers were not what had been sent`)
    if (exactlyOnce && marked > 0)
      this.fault(`${marked} messages were marked though no process had been killed`)
    for (const [code, count] of Object.entries(rejected)) {
      if (!excused.includes(code)) this.fault(`${count} calls were rejected with ${code}`)
    }
    if (received === 0) this.fault('nothing was received')
  }

  /** Promises that are open although nothing is outstanding. */
  unsettled(count) {
    this.figures.unsettled = (this.figures.unsettled ?? 0) + count
    if (count > 0) this.fault(`${count} promises have not settled`)
  }

  /** Stalls of event loops. Those for which `isExcused(stall)` is true do not count. */
  stalls(stalls, { limit = LONGEST_STALL, isExcused = () => false, of = 'a process' } = {}) {
    const longest = Math.max(0, ...stalls.filter(stall => !isExcused(stall)).map(({ length }) => length))
    this.figures.stall = Math.max(this.figures.stall ?? 0, longest)
    if (longest > limit) this.fault(`the event loop of ${of} was held up for ${longest} ms`)
  }

  /** `look()` resolves to `{ memory, descriptors }`, which must be what they were `before`. */
  async goesBack(before, look, of, growth = GROWTH) {
    let now
    await until(async () => {
      now = await look()
      return isBack(before.memory, now.memory, growth) && isBack(before.descriptors, now.descriptors, 0)
    }, GOES_BACK_WITHIN)
    const grown = now.memory === undefined ? undefined : Math.round(now.memory - before.memory)
    const opened = now.descriptors === undefined ? undefined : now.descriptors - before.descriptors
    this.figures.memory = Math.max(this.figures.memory ?? 0, grown ?? 0)
    this.figures.descriptors = Math.max(this.figures.descriptors ?? 0, opened ?? 0)
    if (grown > growth) this.fault(`${of} has ${grown} MiB more than before`)
    if (opened > 0) this.fault(`${of} has ${opened} descriptors more than before`)
  }

  /** Checks what is left after everything is closed. */
  leftovers(processes) {
    const files = processes.files()
    this.figures.files = files.length
    if (files.length > 0) this.fault(`left behind: ${files.join(', ')}`)
    this.faults.push(...processes.faults)
  }
}

function isBack(before, now, growth) {
  return now === undefined || now - before <= growth
}

module.exports = { Verdict, LONGEST_STALL, GROWTH }
