'use strict'

/** A client in a worker thread, which sends until it is terminated. */

const { parentPort, workerData } = require('node:worker_threads')

const { Client } = require('..')
const { Journal } = require('./journal')
const { Workload } = require('./workload')

/** The index in the journals: all workers are lives of one client. */
const INDEX = 2

const { domain, life, seed, journal } = workerData
const workload = new Workload({ journal: new Journal(journal), index: INDEX, life, peers: [], seed })
const client = new Client({ domain, name: `worker${life}` }, workload.handlers)
workload.join(client)
client.once('connect', () => parentPort.postMessage('connected'))
client.connect()
// At most as many as the journals can hold.
workload.run({ messages: 20_000 })
