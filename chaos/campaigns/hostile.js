'use strict'

const { later, outside } = require('../crew')
const { attacks } = require('../hostile/attacks')
const { SERVER } = require('../letter')
const { GROWTH } = require('../verdict')

/** Processes of the honest clients. */
const PROCESSES = 3

/** How long honest clients are alone at first, in milliseconds, to know what this machine makes of them. */
const CONTROL = 4000

/** How long the server may be held up, and so much more than without an attack an answer may take, in milliseconds. */
const LONGEST_STALL = 100

/** When memory has to be back, in milliseconds after an attack. */
const BACK_AFTER = 5000

const OPTIONS = { maxClients: 300, slowConsumerLimit: 8 * 2 ** 20 }

const hostile = {
  name: 'hostile',
  title: 'hostile peers beside honest clients',
  async run(crew, verdict, { honest: count, isShort, attack: only }) {
    await crew.startServer({ ...OPTIONS, quiet: true }).started
    const hosts = startHonest(crew, count)
    const attacker = crew.startHost(count + 1, 'attacker.js', { seed: crew.random.seed() })
    attacker.calls.allow('broadcast', options => crew.server.calls.call('broadcast', options))
    await Promise.all([...hosts, attacker].map(member => member.started))
    await each(hosts, 'begin')
    await later(CONTROL / 2)
    await look(crew, hosts)
    await later(CONTROL)
    const control = await look(crew, hosts)
    note('nobody', control)
    const names = Object.keys(attacks).filter(name => !only || name.includes(only))
    for (const name of names) {
      const before = await look(crew, hosts)
      const descriptors = outside(crew.server).descriptors
      await attacker.calls.call('attack', { name, scale: isShort ? 0.02 : 1 })
      const after = await settles(crew, hosts, before)
      after.growth = Math.round(after.memory - before.memory)
      after.descriptors = outside(crew.server).descriptors - descriptors
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
    verdict.faults.push(...(await crew.members[SERVER].calls.call('state')).faults)
    await crew.close()
    verdict.messages(crew, { exactlyOnce: true })
    verdict.figures.attacks = names.length
  },
}

/** Several clients each, every one with a journal of its own. */
function startHonest(crew, count) {
  crew.count = count
  return Array.from({ length: PROCESSES }, (_, at) => {
    const indices = Array.from({ length: count }, (_, index) => index + 1).filter(
      index => index % PROCESSES === at,
    )
    const members = indices.map(index => ({ index, journal: crew.journalOf(index, 0) }))
    return crew.startHost(count + 2 + at, 'honest.js', { members, count, seed: crew.random.seed() })
  })
}

/** What was seen since the last look: the longest wait for an answer and stall of the server, and its memory now. */
async function look(crew, hosts) {
  const { memory, stalls } = await crew.server.calls.call('vitals')
  const answer = Math.max(...(await each(hosts, 'worst')))
  return {
    memory,
    answer: Math.round(answer),
    stall: Math.max(0, ...stalls.map(({ length }) => length)),
  }
}

/** Looks until memory is back, or should be. */
async function settles(crew, hosts, before) {
  const end = performance.now() + BACK_AFTER
  const worst = await look(crew, hosts)
  while (worst.memory > before.memory + GROWTH && performance.now() < end) {
    await later(500)
    const now = await look(crew, hosts)
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
  if (stall > LONGEST_STALL) verdict.fault(`${name}: the server was held up for ${stall} ms`)
  if (descriptors > 0) verdict.fault(`${name}: the server has ${descriptors} descriptors more than before`)
  // The attackers take the CPU as well.
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
