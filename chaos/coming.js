'use strict'

/** A process of clients that come and go. */

const { Client } = require('..')
const { Calls } = require('./calls')
const { Journal } = require('./journal')
const { Random } = require('./random')
const { Traffic } = require('./traffic')
const { descriptors, openWatching, ownMemory } = require('./vitals')

/** A client may take so long to connect or to close, in milliseconds. */
const PATIENCE = 30_000

const { domain, index, seed, journal: path } = JSON.parse(process.argv[2])
const random = new Random(seed)
const journal = new Journal(path)
let next = 0

openWatching()
new Calls(process, {
  up: () => true,
  come,
  vitals: () => ({ memory: ownMemory(), descriptors: descriptors(process.pid), stalls: [] }),
  close: () => {},
  exit: () => setImmediate(() => process.exit(0)),
})

async function come({ count, atOnce }) {
  const report = { open: 0, faults: [] }
  const last = next + count
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < last) await visit(next++, report)
    }),
  )
  journal.flush()
  return report
}

/** The numbers of one life must not begin anew: each client is a life of its own. */
async function visit(life, report) {
  const traffic = new Traffic({ journal, index, life, peers: [], seed: random.seed() })
  const client = new Client({ domain, name: `visitor${index}-${life}` }, traffic.handlers)
  traffic.join(client)
  await settles('connect', client.connect(), report)
  if (random.percent(50)) await settles('talk', traffic.run({ messages: random.between(1, 5) }), report)
  await settles('close', client.close(), report)
  const { open, faults } = traffic.state()
  report.open += open
  report.faults.push(...faults)
}

async function settles(what, promise, report) {
  let timer
  const late = new Promise(resolve => {
    timer = setTimeout(resolve, PATIENCE, 'late')
  })
  const outcome = await Promise.race([promise, late]).catch(error =>
    report.faults.push(`${what}: ${error.stack}`),
  )
  clearTimeout(timer)
  if (outcome === 'late') report.open++
}
