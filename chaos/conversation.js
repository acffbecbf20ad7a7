'use strict'

const { later, until } = require('./crew')
const { SERVER } = require('./letter')
const { isOfStop } = require('./stalls')

/** How long nothing may happen before promises are taken not to settle, in milliseconds. */
const PATIENCE = 30_000

/** The traffic of all clients of a crew, and its end. */
class Conversation {
  #crew
  #running = 0
  #isGivenUp = false
  #sent = new Map()
  #before
  #watching

  /** Starts it: each client sends so many `messages`. */
  static async begin(crew, options) {
    const conversation = new Conversation(crew)
    await conversation.#measure()
    for (const client of crew.clients) conversation.run(client, options)
    conversation.#watching = conversation.#watch()
    return conversation
  }

  constructor(crew) {
    this.#crew = crew
  }

  /** A client sends. It may be killed meanwhile. */
  async run({ calls }, options) {
    this.#running++
    await calls.call('run', options).catch(() => {})
    this.#running--
  }

  /** Whether nobody sends any more. */
  get hasEnded() {
    return this.#running === 0 || this.#isGivenUp
  }

  /** How many messages were sent, as far as is known. */
  get sent() {
    let sum = 0
    for (const sent of this.#sent.values()) sum += sent
    return sum
  }

  /** Resolves when so many were sent, or no more are. */
  reaches(count) {
    return until(() => this.hasEnded || this.sent >= count, 600_000)
  }

  /** Waits for the end, then looks at what each process has left. */
  async end(verdict) {
    await this.#becomesQuiet()
    const states = await this.#crew.all('state')
    verdict.unsettled(states.reduce((sum, { open }) => sum + open, 0))
    verdict.faults.push(...states.flatMap(({ faults }) => faults.slice(0, 3)))
    await this.#watching
    // Not all at once: an answer says that its client has nothing before it any more.
    const fenced = this.#crew.all('fence').then(() => true)
    if (!(await Promise.race([fenced.catch(() => false), later(PATIENCE)]))) {
      verdict.fault('a delivery at the very end was not answered')
    }
    for (const [at, member] of this.#crew.members.entries()) {
      const { stalls } = await member.calls.call('vitals')
      const isExcused = stall => isOfStop(stall, this.#crew.stops)
      verdict.stalls(stalls, { of: member.name, isExcused })
      if (this.#before[at]?.pid === member.child.pid) {
        const look = () => member.calls.call('vitals')
        await verdict.goesBack(this.#before[at], look, member.name)
      }
    }
    const { faults, dropped } = await this.#crew.server.calls.call('state')
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

  /** What each process has before. */
  async #measure() {
    this.#before = await Promise.all(
      this.#crew.members.map(async ({ calls, child }) => {
        const vitals = await calls.call('vitals').catch(() => undefined)
        return vitals && { ...vitals, pid: child.pid }
      }),
    )
  }

  async #watch() {
    while (!this.hasEnded) {
      for (const { index, life, calls, hasEnded } of this.#crew.members) {
        if (index === SERVER || hasEnded) continue
        // One that is stopped does not answer.
        const state = calls.call('state').catch(() => undefined)
        state.then(found => found && this.#sent.set(`${index}.${life}`, found.sent))
      }
      await later(25)
    }
  }
}

module.exports = { Conversation }
