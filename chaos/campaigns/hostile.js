'use strict'

const { later, outside } = require('../processes')
const { attacks } = require('../hostile/attacks')
const { SERVER } = require('../payload')
const { GROWTH } = require('../verdict')

/** The number of processes with honest clients. */
const PROCESSES = 3

/** How long the honest clients run without attacks at first, to measure this machine, in milliseconds. */
const CONTROL = 4000

/** How long the server may be blocked, and how much longer than without an attack an answer may take, in milliseconds. */
const LONGEST_STALL = 100

/** How long memory may take to be released after an attack, in milliseconds. */
const BACK_AFTER = 5000

const OPTIONS = { maxClients: 300, slowConsumerLimit: 8 * 2 ** 20 }

const hostile = {
  name: 'hostile',
  title: 'hostile peers beside honest clients',
  async run(processes, verdict, { honest: count, isShort, attack: only }) {
    await processes.startServer({ ...OPTIONS, quiet: true }).started
    const hosts = startHonest(processes, count)
    const attacker = processes.startHost(count + 1, 'attacker.js', { seed: processes.random.seed() })
    attacker.calls.allow('broadcast', options => processes.server.calls.call('broadcast', options))
    await Promise.all([...hosts, attacker].map(member => member.started))
    await each(hosts, 'begin')
    await later(CONTROL / 2)
    await observe(processes, hosts)
    await later(CONTROL)
    const control = await observe(processes, hosts)
    note('nobody', control)
    const names = Object.keys(attacks).filter(name => !only || name.includes(only))
    for (const name of names) {
      const before = await observe(processes, hosts)
      const descriptors = outside(processes.server).descriptors
      await attacker.calls.call('attack', { name, scale: isShort ? 0.02 : 1 })
      const after = await recover(processes, hosts, before)
      after.growth = Math.round(after.memory - before.memory)
      after.descriptors = outside(processes.server).descriptors - descriptors
      note(name, after)
      judge(verdict, name, after, control)
    }
    await each(hosts, 'rest')
    await later(1000)
    await each(hosts, 'fence')
    for (const { open, faults } of await each(hosts, 'state')) {
      verdict.unsettled(open)
      verdict.faults.push(...faults)
    }
    verdict.faults.push(...(await processes.members[SERVER].calls.call('state')).faults)
    await processes.close()
    verdict.messages(processes, { exactlyOnce: true })
    verdict.figures.attacks = names.length
  },
}

/** Starts processes with several clients each. Each client has its own journal. */
function startHonest(processes, count) {
  processes.count = count
  return Array.from({ length: PROCESSES }, (_, at) => {
    const indices = Array.from({ length: count }, (_, index) => index + 1).filter(
      index => index % PROCESSES === at,
    )
    const members = indices.map(index => ({ index, journal: processes.journalOf(index, 0) }))
    return processes.startHost(count + 2 + at, 'honest.js', { members, count, seed: processes.random.seed() })
  })
}

/** The longest wait for an answer and the longest stall of the server since the last call, and its memory now. */
async function observe(processes, hosts) {
  const { memory, stalls } = await processes.server.calls.call('vitals')
  const answer = Math.max(...(await each(hosts, 'worst')))
  return {
    memory,
    answer: Math.round(answer),
    stall: Math.max(0, ...stalls.map(({ length }) => length)),
  }
}

/** Observes until memory is released, or BACK_AFTER is over. */
async function recover(processes, hosts, before) {
  const end = performance.now() + BACK_AFTER
  const worst = await observe(processes, hosts)
  while (worst.memory > before.memory + GROWTH && performance.now() < end) {
    await later(500)
    const now = await observe(processes, hosts)
    worst.memory = now.memory
    worst.stall = Math.max(worst.stall, now.stall)
    worst.answer = Math.max(worst.answer, now.answer)
  }
  return worst
}

function judge(verdict, name, { growth, stall, answer, descriptors }, control) {
  const { figures } = verdict
  figures.memory = Math.max(figures.memory ?? 0, growth)
  figures.stall = Math.max(figures.stall ?? 0, stall)
  figures.descriptors = Math.max(figures.descriptors ?? 0, descriptors)
  if (growth > GROWTH) verdict.fault(`${name}: the server has ${growth} MiB more than before`)
  if (stall > LONGEST_STALL) verdict.fault(`${name}: the server was blocked for ${stall} ms`)
  if (descriptors > 0) verdict.fault(`${name}: the server has ${descriptors} descriptors more than before`)
  // The attackers use the CPU too.
  const longest = LONGEST_STALL + 2 * control.answer
  if (answer > longest) verdict.fault(`${name}: an answer took ${answer} ms`)
}

function note(name, { growth = 0, stall, answer, memory }) {
  process.stdout.write(
    `  ${name.padEnd(52)} memory ${Math.round(memory)} MiB (+${growth}), stall ${stall} ms, answer ${answer} ms\n`,
  )
}

function each(members, method) {
  return Promise.all(members.map(({ calls }) => calls.call(method)))
}

module.exports = hostile
