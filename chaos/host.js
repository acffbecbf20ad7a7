'use strict'

/** A process whose worker threads are terminated, while a client in its main thread continues. */

const { once } = require('node:events')
const path = require('node:path')
const { Worker } = require('node:worker_threads')

const { Client } = require('..')
const { Calls } = require('./calls')
const { Random } = require('./random')
const { descriptors, openWatching, ownMemory } = require('./vitals')

/** The longest life of a worker, or of its connection, in milliseconds. */
const LONGEST_LIFE = 250

const { domain, seed } = JSON.parse(process.argv[2])
const random = new Random(seed)
const client = new Client({ domain, name: 'host' })
const connected = client.connect()

new Calls(process, {
  up: () => connected.then(openWatching),
  terminate,
  vitals: () => ({ memory: ownMemory(), descriptors: descriptors(process.pid) }),
  close: () => client.close(),
  exit: () => setImmediate(() => process.exit(0)),
})

/** Starts `count` workers in all, `atOnce` at a time, and terminates each at a random moment. */
async function terminate({ count, atOnce, folder, from }) {
  const report = { open: 0, faults: [] }
  let next = 0
  let isOver = false
  const witness = witnesses(report, () => isOver)
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (next < count) await live(from + next++, folder, report)
    }),
  )
  isOver = true
  await witness
  return report
}

async function live(life, folder, report) {
  const worker = new Worker(path.join(__dirname, 'worker.js'), {
    workerData: { domain, life, seed: random.seed(), journal: path.join(folder, `worker.${life}`) },
  })
  worker.on('error', error => report.faults.push(`worker ${life}: ${error.stack}`))
  // Every second worker is connected before its time runs, so that some send however busy the machine is.
  if (life % 2 === 1) await Promise.race([once(worker, 'message'), once(worker, 'exit')])
  await new Promise(resolve => setTimeout(resolve, random.between(0, LONGEST_LIFE)))
  await worker.terminate()
}

/** Deliveries of the main thread, one after the other. */
async function witnesses(report, isOver) {
  let number = 0
  while (!isOver()) {
    report.open++
    const answer = await client.deliver('echo', ++number)
    report.open--
    if (answer !== number) report.faults.push(`the host was answered ${answer} instead of ${number}`)
    await new Promise(resolve => setImmediate(resolve))
  }
}
