'use strict'

/** A client of a campaign, in its own process. */

const { Client } = require('..')
const { Calls } = require('./calls')
const { Journal } = require('./journal')
const { nameOf } = require('./payload')
const { StallMeter } = require('./stalls')
const { Workload } = require('./workload')
const { descriptors, openWatching, ownMemory } = require('./vitals')

const { journal: path, life, index, peers, domain, seed } = JSON.parse(process.argv[2])
const meter = new StallMeter()
const workload = new Workload({ journal: new Journal(path), index, life, peers, seed })
const client = new Client({ domain, name: nameOf(index) }, workload.handlers)
workload.join(client)
client.connect().catch(error => workload.faults.push(`connect: ${error.stack}`))

new Calls(process, {
  up: openWatching,
  run: options => workload.run(options),
  state: () => workload.state(),
  fence: () => workload.fence(),
  vitals: () => ({ memory: ownMemory(), descriptors: descriptors(process.pid), stalls: meter.take() }),
  close: () => client.close(),
  exit: () => setImmediate(() => process.exit(0)),
})
