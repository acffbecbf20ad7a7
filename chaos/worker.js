'use strict'

/** A client in a worker thread, which sends until it is terminated. */

const { workerData } = require('node:worker_threads')

const { Client } = require('..')
const { Journal } = require('./journal')
const { Traffic } = require('./traffic')

/** Its index in the journals: all of them are lives of one. */
const INDEX = 2

const { domain, life, seed, journal } = workerData
const traffic = new Traffic({ journal: new Journal(journal), index: INDEX, life, peers: [], seed })
const client = new Client({ domain, name: `worker${life}` }, traffic.handlers)
traffic.join(client)
client.connect()
// Not more than the journals can hold.
traffic.run({ messages: 20_000 })
