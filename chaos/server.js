'use strict'

/** The server of a campaign, in its own process. It keeps a journal, and also sends messages itself. */

const { Server } = require('..')
const { Calls } = require('./calls')
const { Journal, WHAT, KIND } = require('./journal')
const { SERVER, payload, broadcastPayload, read, answerTo, nameOf, indexOf } = require('./payload')
const { StallMeter } = require('./stalls')
const { descriptors, ownMemory } = require('./vitals')

/** One of this many received messages makes the server send one message to its sender, and a broadcast. */
const EMIT_EVERY = 8
const BROADCAST_EVERY = 160

const { journal: path, life, options = {} } = JSON.parse(process.argv[2])
const journal = new Journal(path)
const meter = new StallMeter()
/** The number of the last message to each client that has connected, by its index. */
const last = new Map()
const faults = []
let received = 0
let dropped = 0

const server = new Server(options, {
  note(container) {
    take(container, KIND.SEND)
  },
  ask(container) {
    const { number } = take(container, KIND.DELIVERY)
    if (number % 7 !== 0) return answerTo(number)
    return new Promise(resolve => setImmediate(resolve, answerTo(number)))
  },
  echo: ({ data }) => data,
  /** The answer comes after everything that the server has sent to this client. */
  fence: () => received,
  reply: ({ name }) => void server.emit(name, 'note', payload(SERVER, life, 0)),
  hang: () => new Promise(() => {}),
})

server.on('connection', ({ name }) => {
  if (!/^c\d+$/.test(name)) return
  const index = indexOf(name)
  if (!last.has(index)) last.set(index, 0)
  journal.add(WHAT.CONNECTED, KIND.NONE, index, life, 0)
  journal.flush()
})
server.on('dropped', loss => {
  dropped += loss.messages ?? 0
})
server.on('error', error => faults.push(error.stack))

journal.add(WHAT.STARTING, KIND.NONE, SERVER, life, 0)
journal.flush()
server.start()

new Calls(process, {
  up: () => true,
  vitals: () => ({ memory: ownMemory(), descriptors: descriptors(process.pid), stalls: meter.take() }),
  state: () => ({ received, dropped, faults }),
  broadcast({ count, size }) {
    const text = 'x'.repeat(size)
    for (let sent = 0; sent < count; sent++) server.broadcast('nothing', text)
  },
  close: () => server.close(),
  exit: () => setImmediate(() => process.exit(0)),
})

function take({ data, redelivered }, kind) {
  const { sender, life: sendersLife, number } = read(data, SERVER)
  // First of all: a message must be in the journal before it is acknowledged.
  journal.add(WHAT.GOT, kind, sender, sendersLife, number, redelivered ? 1 : 0)
  journal.flush()
  received++
  if (options.quiet) return { number }
  if (received % EMIT_EVERY === 0 && last.has(sender)) emitTo(sender)
  if (received % BROADCAST_EVERY === 0) broadcast()
  return { number }
}

function emitTo(index) {
  const number = next(index, KIND.SERVER_EMIT)
  journal.flush()
  server.emit(nameOf(index), 'note', payload(SERVER, life, number))
}

function broadcast() {
  const numbers = []
  for (const index of last.keys()) numbers[index] = next(index, KIND.SERVER_BROADCAST)
  journal.flush()
  server.broadcast('all', broadcastPayload(SERVER, life, numbers))
}

function next(index, kind) {
  const number = last.get(index) + 1
  last.set(index, number)
  journal.add(WHAT.SENT, kind, index, life, number)
  return number
}
