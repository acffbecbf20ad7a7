'use strict'

const { spawn } = require('node:child_process')
const path = require('node:path')

const { later, outside } = require('../processes')
const { Journal, WHAT } = require('../journal')
const { SERVER } = require('../payload')

const AT_ONCE = 3

/** How long such a process may take, in milliseconds: the machine may be busy. */
const PATIENCE = 20_000

/** What a process does before it ends, see `exiting.js`. */
const WAYS = ['nothing', 'connecting', 'connected', 'sent', 'sent-in-exit', 'uncaught', 'server']

const exits = {
  name: 'exits',
  title: 'processes end by process.exit(), with and without messages just sent',
  async run(processes, verdict, { exits: count }) {
    await processes.startServer({ quiet: true }).started
    const expected = new Map()
    let next = 0
    const before = outside(processes.server)
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next < count) {
          const life = next++
          const way = WAYS[life % WAYS.length]
          const messages = processes.random.between(1, 100)
          const result = await end(processes, { life, way, messages })
          if (result.fault) verdict.fault(`${life}, ${way}: ${result.fault}`)
          if (way.startsWith('sent') || way === 'uncaught') expected.set(life, { way, messages })
        }
      }),
    )
    await later(200)
    verdict.stalls((await processes.server.calls.call('vitals')).stalls, { of: 'the server' })
    await verdict.goesBack(before, () => outside(processes.server), 'the server')
    await processes.close()
    compare(processes, verdict, expected)
    verdict.figures.exited = count
  },
}

/** Runs a process to its end. */
async function end(processes, facts) {
  const program = path.join(__dirname, '..', 'exiting.js')
  const child = spawn(process.execPath, [program, JSON.stringify({ domain: processes.domain, ...facts })], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, IPCIO_DRIVER: processes.driver },
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    errors += text
  })
  const ended = new Promise(resolve => child.once('close', (code, signal) => resolve({ code, signal })))
  const result = await Promise.race([ended, later(PATIENCE)])
  if (!result) {
    child.kill('SIGKILL')
    return { fault: `it had not ended after ${PATIENCE} ms` }
  }
  const wanted = facts.way === 'uncaught' ? 1 : 7
  if (result.code !== wanted) return { fault: `it ended with ${result.signal ?? result.code}. ${errors}` }
  if (errors && facts.way !== 'uncaught') return { fault: `it printed ${errors}` }
  return {}
}

/** Messages sent right before the end, as many as the socket takes at once, must arrive: once, and in order. */
function compare(processes, verdict, expected) {
  const got = new Map()
  Journal.read(processes.journals[SERVER][0], (what, _kind, _peer, life, number) => {
    if (what !== WHAT.GOT) return
    if (!got.has(life)) got.set(life, [])
    got.get(life).push(number)
  })
  const figures = { sent: 0, received: 0, lost: 0, reordered: 0 }
  for (const [life, { way, messages }] of expected) {
    const numbers = got.get(life) ?? []
    figures.sent += messages
    figures.received += numbers.length
    figures.lost += messages - new Set(numbers).size
    if (numbers.some((number, at) => number !== at + 1)) figures.reordered++
    if (numbers.length < messages && figures.lost < 500) {
      verdict.fault(`${life}, ${way}: ${numbers.length} of ${messages} messages arrived`)
    }
  }
  Object.assign(verdict.figures, figures)
  if (figures.lost > 0) verdict.fault(`${figures.lost} messages that were sent before the end are lost`)
}

module.exports = exits
