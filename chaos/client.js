'use strict'

/** A client of a campaign, in a process of its own. */

const { Client } = require('..')
const { Calls } = require('./calls')
const { Journal } = require('./journal')
const { nameOf } = require('./letter')
const { StallMeter } = require('./stalls')
const { Traffic } = require('./traffic')
const { descriptors, openWatching, ownMemory } = require('./vitals')

const { journal: path, life, index, peers, domain, seed } = JSON.parse(process.argv[2])
openWatching()
const meter = new StallMeter()
const traffic = new Traffic({ journal: new Journal(path), index, life, peers, seed })
const client = new Client({ domain, name: nameOf(index) }, traffic.handlers)
traffic.join(client)
client.connect().catch(error => traffic.faults.push(`connect: ${error.stack}`))

new Calls(process, {
  up: () => true,
  run: options => traffic.run(options),
  state: () => traffic.state(),
  fence: () => traffic.fence(),
  vitals: () => ({ memory: ownMemory(), descriptors: descriptors(process.pid), stalls: meter.take() }),
  close: () => client.close(),
  exit: () => setImmediate(() => process.exit(0)),
})
