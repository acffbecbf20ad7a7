'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const test = require('node:test')
const { EventEmitter } = require('node:events')
const { Server } = require('..')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

test('a server takes options and handlers, and either may be left out or null', () => {
  for (const args of [[], [null, null], [undefined, undefined], [{}], [{}, null], [null, { a() {} }]]) {
    const server = new Server(...args)
    assert.equal(server.isStarted(), false)
    assert.equal(server.domain, 'default')
    assert.equal(server.verbose, false)
  }
})

test('a server is an EventEmitter', () => {
  assert.ok(new Server() instanceof EventEmitter)
})

test('Server is a class and must be called with new', () => {
  assert.throws(() => Server(), TypeError)
})

test('start() is synchronous: the socket exists when it returns, and it returns the server', async t => {
  const domain = new Domain(t)
  const server = domain.idleServer()
  assert.equal(fs.existsSync(domain.path), false)
  assert.equal(server.start(), server)
  assert.ok(fs.statSync(domain.path).isSocket())
})

test('isStarted(), listening and address() say whether a server is started', async t => {
  const domain = new Domain(t)
  const server = domain.idleServer()
  const state = () => [server.isStarted(), server.listening, server.address()]
  assert.deepEqual(state(), [false, false, null])
  server.start()
  assert.deepEqual(state(), [true, true, domain.path])
  await server.close()
  assert.deepEqual(state(), [false, false, null])
})

test('start() on a started server throws', t => {
  const server = new Domain(t).server()
  assert.throws(() => server.start(), { name: 'Error', code: 'ERR_IPC_ALREADY_STARTED' })
  assert.equal(server.isStarted(), true)
})

test('start(), emit(), broadcast() and addHandlers() return the server', t => {
  const server = new Domain(t).idleServer()
  assert.equal(server.addHandlers({ a() {} }), server)
  assert.equal(server.start(), server)
  assert.equal(server.emit('nobody', 'a', 1), server)
  assert.equal(server.broadcast('a', 1), server)
})

test('emit() reaches the client of that name and no other', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const [alice, bob] = [new Inbox(), new Inbox()]
  await domain.client('alice', { word: alice.takeData, last: alice.takeData })
  await domain.client('bob', { word: bob.takeData, last: bob.takeData })
  server.emit('alice', 'word', 'for alice').broadcast('last', 'for all')
  assert.deepEqual(await alice.first(2), ['for alice', 'for all'])
  assert.deepEqual(await bob.first(1), ['for all'])
})

test('emit() to a name that no client has does nothing', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const inbox = new Inbox()
  await domain.client('alice', { word: inbox.takeData })
  server.emit('nobody', 'word', 'lost').emit('alice', 'word', 'found')
  assert.deepEqual(await inbox.first(1), ['found'])
})

test('broadcast() reaches every client but the initiator, if one is named', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const inboxes = { alice: new Inbox(), bob: new Inbox(), carol: new Inbox() }
  for (const [name, inbox] of Object.entries(inboxes)) {
    await domain.client(name, { word: inbox.takeData })
  }
  server.broadcast('word', 'not for bob', 'bob').broadcast('word', 'for all').broadcast('word', 'null', null)
  assert.deepEqual(await inboxes.alice.first(3), ['not for bob', 'for all', 'null'])
  assert.deepEqual(await inboxes.bob.first(2), ['for all', 'null'])
  assert.deepEqual(await inboxes.carol.first(3), ['not for bob', 'for all', 'null'])
})

test('emit() and broadcast() without data send null', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const inbox = new Inbox()
  await domain.client('alice', { word: inbox.takeData })
  server.emit('alice', 'word').broadcast('word')
  assert.deepEqual(await inbox.first(2), [null, null])
})

test('emit() and broadcast() throw for messages that cannot be sent', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const inbox = new Inbox()
  await domain.client('alice', { word: inbox.takeData })
  const cycle = {}
  cycle.self = cycle
  for (const send of [data => server.emit('alice', 'word', data), data => server.broadcast('word', data)]) {
    assert.throws(() => send(cycle), { code: 'ERR_IPC_NOT_SERIALIZABLE' })
    assert.throws(() => send(1n), { code: 'ERR_IPC_NOT_SERIALIZABLE' })
  }
  assert.throws(() => server.emit('alice', 'handshake', 1), { code: 'ERR_IPC_RESTRICTED_COMMAND' })
  assert.throws(() => server.emit('alice', 7, 1), { code: 'ERR_IPC_INVALID_ARGUMENT' })
  server.emit('alice', 'word', 'goes on')
  assert.deepEqual(await inbox.first(1), ['goes on'])
})

test('the socket is for its user alone unless mode says otherwise', t => {
  for (const [options, mode] of [
    [{}, 0o600],
    [{ mode: 0o660 }, 0o660],
    [{ mode: 0o666 }, 0o666],
  ]) {
    const domain = new Domain(t)
    domain.server(null, options)
    assert.equal(fs.statSync(domain.path).mode & 0o777, mode)
  }
})

test('servers of several domains live in one process and keep to themselves', async t => {
  const domains = [new Domain(t), new Domain(t), new Domain(t)]
  const answers = await Promise.all(
    domains.map(async (domain, number) => {
      domain.server({ which: () => number })
      const client = await domain.client('alice')
      return client.deliver('which')
    }),
  )
  assert.deepEqual(answers, [0, 1, 2])
})

test('options of the wrong kind are refused', () => {
  for (const options of [
    { driver: 'rocket' },
    { encoding: 'klingon' },
    { domain: 7 },
    { maxMessageSize: -1 },
    { maxClients: 'many' },
    { allowUsers: 'root' },
  ]) {
    assert.throws(() => new Server(options), { code: 'ERR_IPC_INVALID_ARGUMENT' }, JSON.stringify(options))
  }
})
