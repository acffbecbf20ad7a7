'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { EventEmitter } = require('node:events')
const { Client } = require('..')
const { eventOf, turns, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const UUID = /^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/

test('a client takes options and handlers, and either may be left out or null', () => {
  for (const args of [[], [null, null], [undefined, undefined], [{}], [{}, null], [null, { a() {} }]]) {
    const client = new Client(...args)
    assert.equal(client.isStarted(), false)
    assert.equal(client.isConnected(), false)
    assert.equal(client.domain, 'default')
    assert.equal(client.verbose, false)
  }
})

test('a client is an EventEmitter', () => {
  assert.ok(new Client() instanceof EventEmitter)
})

test('a client without a name takes a UUIDv4 without dashes', () => {
  const names = [new Client().name, new Client({ name: null }).name, new Client({ name: undefined }).name]
  for (const name of names) assert.match(name, UUID)
  assert.equal(new Set(names).size, names.length)
  assert.equal(new Client({ name: 'alice' }).name, 'alice')
})

test('a client has a unique uuid once it is connected', async t => {
  const domain = new Domain(t)
  domain.server()
  const alice = domain.idleClient('alice')
  assert.equal(alice.uuid, null)
  await alice.connect()
  const bob = await domain.client('bob')
  assert.match(alice.uuid, UUID)
  assert.notEqual(alice.uuid, bob.uuid)
})

test('connect() resolves when the connection is up', async t => {
  const domain = new Domain(t)
  domain.server()
  const client = domain.idleClient('alice')
  const connecting = client.connect()
  assert.deepEqual([client.isStarted(), client.isConnected()], [true, false])
  assert.equal(await connecting, undefined)
  assert.deepEqual([client.isStarted(), client.isConnected()], [true, true])
  await client.close()
  assert.deepEqual([client.isStarted(), client.isConnected()], [false, false])
})

test('connect() before the server is up resolves once it is', async t => {
  const domain = new Domain(t)
  const client = domain.idleClient('alice')
  const connecting = client.connect()
  await turns(20)
  assert.deepEqual([client.isStarted(), client.isConnected()], [true, false])
  domain.server()
  await within(connecting, 'connect()')
  assert.equal(client.isConnected(), true)
})

test('connect() on a client that connects or is connected throws at once', async t => {
  const domain = new Domain(t)
  const client = domain.idleClient('alice')
  const refusal = { name: 'Error', code: 'ERR_IPC_ALREADY_STARTED' }
  const connecting = client.connect()
  assert.throws(() => client.connect(), refusal)
  domain.server()
  await connecting
  assert.throws(() => client.connect(), refusal)
  assert.equal(client.isConnected(), true)
})

test('a second client with the same name is refused, and may connect once the name is free', async t => {
  const domain = new Domain(t)
  const server = domain.server({ who: ({ uuid }) => uuid })
  const first = await domain.client('alice')
  const second = domain.idleClient('alice')
  await assert.rejects(second.connect(), { name: 'Error', code: 'ERR_IPC_NAME_TAKEN' })
  assert.deepEqual([second.isStarted(), second.isConnected()], [false, false])
  assert.equal(await first.deliver('who'), first.uuid)
  const gone = eventOf(server, 'disconnection')
  await first.close()
  await gone
  await within(second.connect(), 'the second client to connect')
  assert.equal(await second.deliver('who'), second.uuid)
})

test('send() resolves when the handler of the server has been called', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.takeData })
  const client = await domain.client('alice')
  for (let number = 0; number < 50; number++) {
    assert.equal(await client.send('word', number), undefined)
    assert.equal(inbox.all.length, number + 1)
  }
})

test('emit() reaches the client of that name and no other', async t => {
  const domain = new Domain(t)
  domain.server()
  const [bob, carol] = [new Inbox(), new Inbox()]
  const alice = await domain.client('alice')
  await domain.client('bob', { word: bob.takeData, last: bob.takeData })
  await domain.client('carol', { word: carol.takeData, last: carol.takeData })
  assert.equal(await alice.emit('bob', 'word', 'for bob'), undefined)
  await alice.broadcast('last', 'for all')
  assert.deepEqual(await bob.first(2), ['for bob', 'for all'])
  assert.deepEqual(await carol.first(1), ['for all'])
})

test('emit() to a name that no client has resolves and does nothing', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data })
  const alice = await domain.client('alice')
  await within(alice.emit('nobody', 'word', 1), 'emit()')
  assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
})

test('emit() to itself comes back through the server', async t => {
  const domain = new Domain(t)
  domain.server()
  const inbox = new Inbox()
  const alice = await domain.client('alice', { word: inbox.take })
  await alice.emit('alice', 'word', 'to myself')
  const [container] = await inbox.first(1)
  assert.deepEqual([container.data, container.from], ['to myself', 'alice'])
})

test('broadcast() reaches every client except the one that sends it', async t => {
  const domain = new Domain(t)
  domain.server()
  const inboxes = { alice: new Inbox(), bob: new Inbox(), carol: new Inbox() }
  const clients = {}
  for (const [name, inbox] of Object.entries(inboxes)) {
    clients[name] = await domain.client(name, { word: inbox.takeData })
  }
  await clients.alice.broadcast('word', 'from alice')
  await clients.bob.broadcast('word', 'from bob')
  // A later message shows that the sender did not receive its own.
  await clients.carol.emit('alice', 'word', 'the end')
  await clients.carol.emit('bob', 'word', 'the end')
  assert.deepEqual(await inboxes.alice.first(2), ['from bob', 'the end'])
  assert.deepEqual(await inboxes.bob.first(2), ['from alice', 'the end'])
  assert.deepEqual(await inboxes.carol.first(2), ['from alice', 'from bob'])
})

test('a command without a handler affects no other message', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data })
  const inbox = new Inbox()
  const alice = await domain.client('alice', { word: inbox.takeData })
  await within(alice.send('unheard of', 1), 'send()')
  server.emit('alice', 'unheard of', 1).emit('alice', 'word', 'heard')
  assert.deepEqual(await inbox.first(1), ['heard'])
  assert.equal(await alice.deliver('echo', 1), 1)
})

test('commands of the protocol cannot be sent', async t => {
  const domain = new Domain(t)
  domain.server()
  const alice = await domain.client('alice')
  for (const command of ['handshake', 'discover', 'broadcast', 'emit', 'deliver', 'error']) {
    const refusal = { name: 'Error', code: 'ERR_IPC_RESTRICTED_COMMAND' }
    await assert.rejects(alice.send(command, 1), refusal)
    await assert.rejects(alice.emit('alice', command, 1), refusal)
    await assert.rejects(alice.broadcast(command, 1), refusal)
    await assert.rejects(alice.deliver(command, 1), refusal)
    await assert.rejects(alice.deliver('alice', command, 1), refusal)
  }
})

test('a command that is not a string, or longer than 65535 bytes, is refused', async t => {
  const domain = new Domain(t)
  domain.server({ ['é'.repeat(32767)]: ({ data }) => data })
  const alice = await domain.client('alice')
  const refusal = { name: /Error$/, code: 'ERR_IPC_INVALID_ARGUMENT' }
  for (const command of [undefined, null, 7, {}, Symbol('word'), 'é'.repeat(32768)]) {
    await assert.rejects(alice.send(command, 1), refusal)
    await assert.rejects(alice.emit('alice', command, 1), refusal)
    await assert.rejects(alice.broadcast(command, 1), refusal)
    await assert.rejects(alice.deliver('alice', command, 1), refusal)
  }
  assert.equal(await alice.deliver('é'.repeat(32767), 'fits'), 'fits')
})

test('options of the wrong type are refused', () => {
  for (const options of [
    { driver: 'rocket' },
    { encoding: 'klingon' },
    { domain: 7 },
    { name: 7 },
    { maxMessageSize: -1 },
  ]) {
    assert.throws(() => new Client(options), { code: 'ERR_IPC_INVALID_ARGUMENT' }, JSON.stringify(options))
  }
})
