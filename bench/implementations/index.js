'use strict'

// The implementations that are compared. Each has
//   name, label   for the command line and the tables
//   kind          'ours', 'floor' or 'library'
//   features      the workloads that it supports; the other cells of its row stay empty
//   inOrder       it has messages but no requests: an answer belongs to the oldest request
//   available()   undefined, or why it can't be measured
//   serve({ path, answer, receive, commands, uses })      -> { broadcast, close }
//   connect({ path, name, answer, receive, uses })        -> { request, requestTo, send, close }
// `answer` takes the data of a request and returns the answer, `receive` takes the data of a
// one-way message, `uses` names the workload, for libraries with a kind of socket for each.

const { ipcio } = require('./ipcio')
const { netIpc } = require('./net-ipc')

// Another checkout of ipcio, twice: the difference between these two is noise.
const before = process.env.IPCIO_BEFORE
const former = before
  ? [ipcio('before', 'ipcio before', {}, before), ipcio('before-again', 'ipcio before, again', {}, before)]
  : []

const implementations = [
  ipcio('ipcio', 'ipcio', {}),
  ...former,
  ipcio('ipcio-nopoll', 'ipcio, busyPoll: 0', { busyPoll: 0 }),
  ipcio('ipcio-thread', "ipcio, driver: 'thread'", { driver: 'thread' }),
  require('./floor'),
  netIpc('net-ipc', 'net-ipc', {}),
  netIpc('net-ipc-msgpack', 'net-ipc, msgpack', { messagepack: true }),
  require('./node-ipc'),
  require('./zeromq'),
  require('./ws'),
  require('./process-send'),
]

const byName = name => {
  const implementation = implementations.find(candidate => candidate.name === name)
  if (!implementation)
    throw new RangeError(
      `no implementation "${name}": there are ${implementations.map(one => one.name).join(', ')}`,
    )
  return implementation
}

module.exports = { implementations, byName }
