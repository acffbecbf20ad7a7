'use strict'

const { later, until } = require('./processes')
const { SERVER } = require('./payload')
const { isOfStop } = require('./stalls')

/** After this time without progress, open promises count as never settled, in milliseconds. */
const PATIENCE = 30_000

/** The workloads of all clients, and its end. */
class Conversation {
  #processes
  #running = 0
  #isGivenUp = false
  #sent = new Map()
  #before
  #watching

  /** Starts the workloads: each client sends `messages` messages. */
  static async begin(processes, options) {
    const conversation = new Conversation(processes)
    await conversation.#measure()
    for (const client of processes.clients) conversation.run(client, options)
    conversation.#watching = conversation.#watch()
    return conversation
  }

  constructor(processes) {
    this.#processes = processes
  }

  /** Runs the workload of a client, which may be killed meanwhile. */
  async run({ calls }, options) {
    this.#running++
    await calls.call('run', options).catch(() => {})
    this.#running--
  }

  /** Whether all clients have finished. */
  get hasEnded() {
    return this.#running === 0 || this.#isGivenUp
  }

  /** The number of messages sent, as far as known. */
  get sent() {
    let sum = 0
    for (const sent of this.#sent.values()) sum += sent
    return sum
  }

  /** Resolves when `count` messages were sent, or when all clients have finished. */
  reaches(count) {
    return until(() => this.hasEnded || this.sent >= count, 600_000)
  }

  /** Waits for the end, then checks what each process has left over. */
  async end(verdict) {
    await this.#becomesQuiet()
    const states = await this.#processes.all('state')
    verdict.unsettled(states.reduce((sum, { open }) => sum + open, 0))
    verdict.faults.push(...states.flatMap(({ faults }) => faults.slice(0, 3)))
    await this.#watching
    // Separately: an answer shows that its client has handled everything before it.
    const fenced = this.#processes.all('fence').then(() => true)
    if (!(await Promise.race([fenced.catch(() => false), later(PATIENCE)]))) {
      verdict.fault('a delivery at the very end was not answered')
    }
    for (const [at, member] of this.#processes.members.entries()) {
      const { stalls } = await member.calls.call('vitals')
      const isExcused = stall => isOfStop(stall, this.#processes.stops)
      verdict.stalls(stalls, { of: member.name, isExcused })
      if (this.#before[at]?.pid === member.child.pid) {
        const look = () => member.calls.call('vitals')
        await verdict.goesBack(this.#before[at], look, member.name)
      }
    }
    const { faults, dropped } = await this.#processes.server.calls.call('state')
    verdict.faults.push(...faults)
    if (dropped > 0) verdict.fault(`the server has dropped ${dropped} messages`)
  }

  async #becomesQuiet() {
    let sent = -1
    while (!this.hasEnded && sent !== this.sent) {
      sent = this.sent
      await until(() => this.hasEnded || this.sent !== sent, PATIENCE)
    }
    this.#isGivenUp = true
  }

  /** Measures each process before the workloads. */
  async #measure() {
    this.#before = await Promise.all(
      this.#processes.members.map(async ({ calls, child }) => {
        const vitals = await calls.call('vitals').catch(() => undefined)
        return vitals && { ...vitals, pid: child.pid }
      }),
    )
  }

  async #watch() {
    while (!this.hasEnded) {
      for (const { index, life, calls, hasEnded } of this.#processes.members) {
        if (index === SERVER || hasEnded) continue
        // A stopped process does not answer.
        const state = calls.call('state').catch(() => undefined)
        state.then(found => found && this.#sent.set(`${index}.${life}`, found.sent))
      }
      await later(25)
    }
  }
}

module.exports = { Conversation }
