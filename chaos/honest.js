'use strict'

/** A process with many honest clients, which send at a steady rate and measure how long an answer takes. */

const { Client } = require('..')
const { Calls } = require('./calls')
const { Journal, clock } = require('./journal')
const { nameOf } = require('./payload')
const { Random } = require('./random')
const { StallMeter } = require('./stalls')
const { Workload } = require('./workload')

/** The interval at which each client sends a round, in milliseconds. */
const PACE = 250
const MESSAGES_A_ROUND = 10

/** The interval between measurements of an answer, in milliseconds. */
const LOOK = 10

const { domain, members: places, count, seed } = JSON.parse(process.argv[2])
const random = new Random(seed)
const meter = new StallMeter()
const everybody = Array.from({ length: count }, (_, at) => at + 1)
let isTalking = true
let worst = 0

const members = places.map(({ index, journal }) => {
  const peers = everybody.filter(peer => peer !== index)
  const workload = new Workload({
    journal: new Journal(journal),
    index,
    life: 0,
    peers,
    seed: random.seed(),
  })
  const client = new Client({ domain, name: nameOf(index) }, workload.handlers)
  workload.join(client)
  return { client, workload }
})
const connected = Promise.all(members.map(({ client }) => client.connect()))

new Calls(process, {
  up: () => connected.then(() => true),
  begin() {
    for (const member of members) talk(member)
    watch()
  },
  rest() {
    isTalking = false
  },
  worst() {
    const found = worst
    worst = 0
    return found
  },
  fence: () => Promise.all(members.map(({ workload }) => workload.fence())),
  state: () => {
    const states = members.map(({ workload }) => workload.state())
    return {
      open: states.reduce((sum, { open }) => sum + open, 0),
      faults: states.flatMap(({ faults }) => faults.slice(0, 2)),
    }
  },
  vitals: () => ({ stalls: meter.take() }),
  close: () => Promise.all(members.map(({ client }) => client.close())),
  exit: () => setImmediate(() => process.exit(0)),
})

async function talk({ workload }) {
  await sleep(random.between(0, PACE))
  while (isTalking) {
    await workload.run({ messages: MESSAGES_A_ROUND, perDelivery: MESSAGES_A_ROUND, large: false })
    await sleep(PACE)
  }
}

/** How long an answer of the server takes, minus the time in which this process was blocked. */
async function watch() {
  const [{ client }] = members
  while (isTalking) {
    meter.take()
    const begin = clock()
    await client.deliver('echo', 1)
    const length = clock() - begin
    const own = meter.take().reduce((sum, stall) => sum + stall.length, 0)
    worst = Math.max(worst, length - own)
    await sleep(LOOK)
  }
}

function sleep(milliseconds) {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}
