'use strict'

// What is measured. A peer is
//   name, label   for the command line and the tables
//   kind          'ours', 'floor' or 'library'
//   features      the traffic it can carry by itself; any other cell of its row stays empty
//   inOrder       it has messages only: an answer belongs to the oldest question
//   available()   undefined, or why it can't be measured
//   serve({ path, answer, receive, commands, uses })      -> { broadcast, close }
//   connect({ path, name, answer, receive, uses })        -> { request, requestTo, send, close }
// `answer` gets the data of a request and returns what goes back, `receive` gets the data of a
// one-way message, `uses` names the traffic, for libraries with a kind of socket for each.

const { ipcio } = require('./ipcio')
const { netIpc } = require('./net-ipc')

// Another checkout of ipcio, built, and the same once more: what these two differ by is noise.
const before = process.env.IPCIO_BEFORE
const former = before
  ? [ipcio('before', 'ipcio before', {}, before), ipcio('before-again', 'ipcio before, again', {}, before)]
  : []

const peers = [
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
  const peer = peers.find(candidate => candidate.name === name)
  if (!peer) throw new RangeError(`no peer "${name}": there are ${peers.map(one => one.name).join(', ')}`)
  return peer
}

module.exports = { peers, byName }
