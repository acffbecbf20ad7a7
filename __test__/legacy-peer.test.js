'use strict'

/** Shows that the peers that imitate 0.6.2 in the other tests write what 0.6.2 writes. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { eventOf, within } = require('./support/deadline.js')
const { Splitter, messageOf, textOf } = require('./support/legacy-framing.js')
const { NAME_TAKEN } = require('./support/legacy-peer.js')
const recorded = require('./support/recorded-writes.json')

test('every recorded write is what the peers would write', () => {
  for (const { text } of recorded) {
    const { id, command, data, delivery } = JSON.parse(text)
    assert.equal(textOf(id, command, data, delivery), text)
  }
})

test('recorded writes are found again however they are cut', () => {
  const texts = recorded.map(({ text }) => text)
  const bytes = Buffer.from(texts.join(''))
  for (let cut = 0; cut <= bytes.length; cut++) {
    const splitter = new Splitter()
    const found = [...splitter.push(bytes.subarray(0, cut)), ...splitter.push(bytes.subarray(cut))]
    assert.deepEqual(found, texts)
  }
  const splitter = new Splitter()
  assert.deepEqual(
    [...bytes].flatMap(byte => splitter.push(Buffer.from([byte]))),
    texts,
  )
})

test('a falsy payload is read as null, as 0.6.2 reads it', () => {
  for (const data of [0, false, '', null, undefined]) {
    assert.equal(messageOf(textOf(null, 'word', data)).data, null)
  }
})

test('the peers understand each other', async t => {
  const domain = new Domain(t)
  const inboxes = [new Inbox(), new Inbox()]
  const server = await domain.legacyServer({
    echo: ({ data }) => data,
    later: async ({ data }) => ({ late: data }),
    nothing() {},
    keys: container => Object.keys(container),
    reply: ({ name, data }) => server.emit(name, 'word', data),
    viaSocket: ({ socket, data }) => socket.writeCommand('word', data),
  })
  const handlers = inbox => ({ word: inbox.takeData, double: ({ data }) => data * 2 })
  const alice = await domain.legacyClient('alice', handlers(inboxes[0]))
  const bob = await domain.legacyClient('bob', handlers(inboxes[1]))

  const large = 'x}{"\\é'.repeat(50_000)
  assert.equal(await alice.deliver('echo', large), large)
  assert.deepEqual(await alice.deliver('later', 5), { late: 5 })
  assert.equal(await alice.deliver('nothing', 1), null)
  assert.equal(await alice.deliver('unheard of', 1), null)
  assert.deepEqual(await alice.deliver('keys', 1), ['data', 'uuid', 'name', 'socket', 'server'])
  assert.equal(await alice.deliver('bob', 'double', 21), 42)
  assert.equal(await bob.deliver('alice', 'double', 4), 8)
  assert.equal(await alice.deliver('alice', 'double', 2), 4)
  assert.equal(await alice.deliver('bob', 'unheard of', 1), null)
  assert.deepEqual(await bob.discover(), {
    clients: ['alice', 'bob'],
    command_handlers: ['echo', 'later', 'nothing', 'keys', 'reply', 'viaSocket'],
  })

  await alice.send('reply', 'by emit')
  await alice.send('viaSocket', 'by socket')
  await bob.emit('alice', 'word', 'by bob')
  assert.deepEqual(await inboxes[0].first(3), ['by emit', 'by socket', 'by bob'])
  await alice.broadcast('word', 'to all')
  assert.deepEqual(await inboxes[0].first(4), [...inboxes[0].all.slice(0, 3), 'to all'])
  assert.deepEqual(await inboxes[1].first(1), ['to all'])
})

test('a taken name is refused with 201', async t => {
  const domain = new Domain(t)
  await domain.legacyServer()
  await domain.legacyClient('alice')
  const second = domain.idleLegacyClient('alice')
  second.connect()
  assert.equal(await eventOf(second, 'refused'), NAME_TAKEN)
})

test('a client comes back to a server that starts again', async t => {
  const domain = new Domain(t)
  const server = await domain.legacyServer({ echo: ({ data }) => data })
  const alice = await domain.legacyClient('alice')
  const gone = eventOf(alice, 'disconnect')
  await server.close()
  await gone
  const delivery = alice.deliver('echo', 'queued')
  await server.start()
  assert.equal(await within(delivery, 'the answer'), 'queued')
})
