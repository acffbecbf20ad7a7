'use strict'

/**
 * A recorded session of 0.6.2, replayed against our server: what alice and bob wrote is written again,
 * cut in two at every byte, and the server must answer as the recorded one did, except for its defects.
 */

const assert = require('node:assert/strict')
const net = require('node:net')
const test = require('node:test')
const { turns } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { Splitter } = require('./support/legacy-framing.js')
const recorded = require('./support/recorded-writes.json')

/** What a peer wrote on one of its sockets, as one text. */
const written = (writer, channel) =>
  recorded.filter(write => write.writer === writer && write.channel === channel).map(({ text }) => text)

const ALICE = { control: written('alice', 'control'), private: written('alice', 'private') }
const BOB = { control: written('bob', 'control'), private: written('bob', 'private') }

/** Answers that were wrong there: falsy values came back as null. */
const CORRECTED = { '<hex32:3>': 0, '<hex32:4>': false, '<hex32:5>': '' }

const message = (command, data, delivery = null) => ({ id: null, command, data, delivery })

/** What alice must receive on her private socket, except for answers to her deliveries. */
const TO_ALICE = [
  message('reply_to_you', { got: [1, 2, 'three'] }),
  message('via_socket', 'žluťoučký'),
  message('shouted', true),
]

/** What bob must receive on his: deliveries with an id of the server. */
const TO_BOB = [
  message('shouted', true),
  message('hello', { from: 'alice' }),
  message('bc', { b: 1 }),
  message('double', 21, 'asked'),
  message('slow', 'x', 'asked'),
  message('void', 1, 'asked'),
  message('nope', 1, 'asked'),
]

/** The answers to alice's deliveries, by her own ids. */
const ANSWERS = Object.fromEntries(
  recorded
    .filter(({ writer, text }) => writer === 'server' && text.includes('"command":"deliver"'))
    .map(({ text }) => JSON.parse(text))
    .map(({ delivery, data }) => [delivery, CORRECTED[delivery] ?? data])
    .concat([['<hex32:21>', null]]),
)

const HANDLERS = {
  echo: ({ data }) => data,
  later: async ({ data }) => ({ late: data }),
  nothing() {},
  reply({ name, data }) {
    this.emit(name, 'reply_to_you', { got: data })
  },
  viasocket: ({ socket, data }) => void socket.writeCommand('via_socket', data),
  shout({ data }) {
    this.broadcast('shouted', data)
  },
  keys: () => ['data', 'uuid', 'name', 'socket', 'server'],
}

/** A socket that writes texts cut in two, and keeps what it reads. */
class Wire {
  constructor(path) {
    this.inbox = new Inbox()
    this.socket = net.connect(path)
    this.socket.on('error', () => {})
    const splitter = new Splitter()
    this.socket.on('data', bytes => {
      for (const text of splitter.push(bytes)) this.inbox.take(JSON.parse(text))
    })
  }

  async write(text, cut) {
    const bytes = Buffer.from(text)
    const place = cut % bytes.length
    this.socket.write(bytes.subarray(0, place))
    // The first part is read before the second one is there.
    await turns(2)
    this.socket.write(bytes.subarray(place))
  }
}

async function join(domain, { control }, cut) {
  const wire = new Wire(domain.path)
  await wire.write(control[0], cut)
  const [{ data: uuid }] = await wire.inbox.first(1)
  return { control: wire, private: new Wire(`${domain.path}.${uuid}`) }
}

async function replay(domain, cut) {
  const bob = await join(domain, BOB, cut)
  const alice = await join(domain, ALICE, cut)
  const writes = [
    alice.private.write(ALICE.private.slice(0, -1).join(''), cut),
    alice.control.write(ALICE.control.slice(1).join(''), cut),
  ]
  await Promise.all(writes)
  const got = await bob.private.inbox.first(TO_BOB.length)
  const asked = got.filter(({ delivery }) => delivery !== null)
  // The recording has bob's answers in the order of the deliveries.
  const answers = BOB.private.map((text, index) => {
    const { data } = JSON.parse(text)
    return JSON.stringify(message('deliver', data, asked[index].delivery))
  })
  await bob.private.write(answers.join(''), cut)

  // Alice asks herself: her answer is the last that she writes.
  const toAlice = alice.private.inbox
  await toAlice.first(TO_ALICE.length + Object.keys(ANSWERS).length)
  const own = toAlice.all.find(({ command }) => command === 'double')
  await alice.private.write(JSON.stringify(message('deliver', own.data * 2, own.delivery)), cut)
  await toAlice.first(TO_ALICE.length + Object.keys(ANSWERS).length + 1)

  const result = { alice: toAlice.all, bob: got, discovery: await alice.control.inbox.first(2) }
  for (const { socket } of [alice.control, alice.private, bob.control, bob.private]) socket.destroy()
  return result
}

function check({ alice, bob, discovery }, cut) {
  const where = `cut at ${cut}`
  const isAnswer = ({ command }) => command === 'deliver'
  const answers = Object.fromEntries(alice.filter(isAnswer).map(({ delivery, data }) => [delivery, data]))
  assert.deepEqual(answers, ANSWERS, where)
  const others = alice.filter(other => !isAnswer(other) && other.command !== 'double')
  assert.deepEqual(others, TO_ALICE, where)
  const seen = bob.map(entry => (entry.delivery === null ? entry : { ...entry, delivery: 'asked' }))
  // What the server says itself comes on its own; what alice says keeps its order.
  const isOfServer = ({ command }) => command === 'shouted'
  assert.deepEqual(seen.filter(isOfServer), TO_BOB.filter(isOfServer), where)
  assert.deepEqual(
    seen.filter(entry => !isOfServer(entry)),
    TO_BOB.filter(entry => !isOfServer(entry)),
    where,
  )
  const { command, id, data } = discovery[1]
  assert.deepEqual({ command, id }, { command: 'discover', id: 'alice' }, where)
  assert.deepEqual(data, { clients: ['bob', 'alice'], command_handlers: Object.keys(HANDLERS) }, where)
}

const longest = Math.max(
  ...[ALICE, BOB]
    .flatMap(peer => [peer.control, peer.private])
    .map(texts => Buffer.byteLength(texts.join(''))),
)

test(`a recorded session of 0.6.2 is answered alike, cut at each of ${longest} bytes`, async t => {
  const domain = new Domain(t)
  const server = domain.server(HANDLERS)
  const gone = new Inbox()
  server.on('disconnection', gone.take)
  for (let cut = 0; cut < longest; cut++) {
    check(await replay(domain, cut), cut)
    await gone.first((cut + 1) * 2)
  }
})

test('a recorded session of 0.6.2 is answered alike, byte by byte', async t => {
  const domain = new Domain(t)
  domain.server(HANDLERS)
  const write = Wire.prototype.write
  t.after(() => {
    Wire.prototype.write = write
  })
  Wire.prototype.write = async function (text) {
    for (const byte of Buffer.from(text)) {
      this.socket.write(Buffer.from([byte]))
      await turns(1)
    }
  }
  check(await replay(domain, 0), 'every byte')
})
