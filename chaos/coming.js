'use strict'

/** A process with clients that connect and close. */

const { Client } = require('..')
const { Calls } = require('./calls')
const { Journal } = require('./journal')
const { Random } = require('./random')
const { Workload } = require('./workload')
const { descriptors, openWatching, ownMemory } = require('./vitals')

/** How long a client may take to connect or to close, in milliseconds. */
const PATIENCE = 30_000

const { domain, index, seed, journal: path } = JSON.parse(process.argv[2])
const random = new Random(seed)
const journal = new Journal(path)
let next = 0

new Calls(process, {
  up: openWatching,
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

/** Each client is a separate life, as the numbers within one life must not begin again. */
async function visit(life, report) {
  const workload = new Workload({ journal, index, life, peers: [], seed: random.seed() })
  const client = new Client({ domain, name: `visitor${index}-${life}` }, workload.handlers)
  workload.join(client)
  await completes('connect', client.connect(), report)
  if (random.percent(50)) await completes('talk', workload.run({ messages: random.between(1, 5) }), report)
  await completes('close', client.close(), report)
  const { open, faults } = workload.state()
  report.open += open
  report.faults.push(...faults)
}

async function completes(what, promise, report) {
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
