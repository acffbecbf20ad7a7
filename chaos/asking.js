'use strict'

/** A client whose deliveries are never answered, or a witness that measures round trips meanwhile. */

const { Client } = require('..')
const { Calls } = require('./calls')
const { clock } = require('./journal')
const { StallMeter } = require('./stalls')
const { descriptors, openWatching, ownMemory } = require('./vitals')

/** The number of calls before the event loop continues. */
const IN_A_ROW = 500

const { domain, name } = JSON.parse(process.argv[2])
const meter = new StallMeter()
const client = new Client({ domain, name }, { hang: () => new Promise(() => {}) })
const connected = client.connect()
let isWatching = false
let worst = 0

new Calls(process, {
  up: () => connected.then(openWatching),
  ask: options => ask(client, options),
  askNobody,
  watch,
  rest() {
    isWatching = false
    return { worst }
  },
  vitals: () => ({ memory: ownMemory(), descriptors: descriptors(process.pid), stalls: meter.take() }),
  close: () => client.close(),
  exit: () => setImmediate(() => process.exit(0)),
})

async function ask(asking, { count, to, timeout }) {
  const report = { open: count, early: 0, latest: 0, codes: {} }
  const asked = []
  const record = (code, begin) => {
    const late = clock() - begin - timeout
    report.open--
    // The clocks of a driver count whole milliseconds.
    if (late < -2) report.early++
    report.latest = Math.max(report.latest, late)
    report.codes[code] = (report.codes[code] ?? 0) + 1
  }
  for (let number = 0; number < count; number++) {
    const begin = clock()
    const answer = asking.deliver(to, 'hang', number, { timeout })
    asked.push(
      answer.then(
        () => record('no error', begin),
        error => record(error.code ?? error.message, begin),
      ),
    )
    if (number % IN_A_ROW === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.race([Promise.all(asked), new Promise(resolve => setTimeout(resolve, 60_000).unref())])
  return report
}

/** The same for a client without a server. */
async function askNobody(options) {
  const lonely = new Client({ domain: `${domain}-nobody` })
  lonely.connect().catch(() => {})
  const report = await ask(lonely, options)
  await lonely.close()
  return report
}

/** Round trips to the server, one after the other. */
async function watch() {
  isWatching = true
  while (isWatching) {
    const begin = clock()
    await client.deliver('echo', begin)
    worst = Math.max(worst, clock() - begin)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}
