'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

test('a server emits events for clients that connect and disconnect', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const told = new Inbox()
  server.on('connection', client => told.take(['connection', client]))
  server.on('disconnection', client => told.take(['disconnection', client]))
  const alice = await domain.client('alice')
  const bob = await domain.client('bob')
  const identities = [alice, bob].map(({ name, uuid }) => ({ name, uuid }))
  await told.first(2)
  await alice.close()
  await told.first(3)
  await bob.close()
  assert.deepEqual(await told.first(4), [
    ['connection', identities[0]],
    ['connection', identities[1]],
    ['disconnection', identities[0]],
    ['disconnection', identities[1]],
  ])
})

test('a client that connects is known before its first message is handled', async t => {
  const domain = new Domain(t)
  const order = []
  const server = domain.server({ word: () => order.push('word') && null })
  server.on('connection', () => order.push('connection'))
  const alice = domain.idleClient('alice')
  const sent = alice.send('word')
  await alice.connect()
  await sent
  assert.deepEqual(order, ['connection', 'word'])
})

test('a client emits events each time that it connects and disconnects', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const told = new Inbox()
  const alice = domain.idleClient('alice')
  alice.on('connect', () => told.take(['connect', alice.isConnected()]))
  alice.on('disconnect', () => told.take(['disconnect', alice.isConnected()]))
  await alice.connect()
  await server.close()
  await told.first(2)
  server.start()
  await told.first(3)
  await alice.close()
  assert.deepEqual(await told.first(4), [
    ['connect', true],
    ['disconnect', false],
    ['connect', true],
    ['disconnect', false],
  ])
})

test('a listener may use the server and the client', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data })
  const inbox = new Inbox()
  server.on('connection', ({ name }) => server.emit(name, 'word', `welcome, ${name}`))
  const alice = domain.idleClient('alice', { word: inbox.takeData })
  const echoed = new Inbox()
  alice.on('connect', () => alice.deliver('echo', 'from a listener').then(echoed.take))
  await alice.connect()
  assert.deepEqual(await inbox.first(1), ['welcome, alice'])
  assert.deepEqual(await echoed.first(1), ['from a listener'])
})

test('a client whose process is killed is disconnected', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const connected = eventOf(server, 'connection')
  const child = domain.spawn('client.js', ['doomed'])
  const { name, uuid } = await connected
  assert.equal(name, 'doomed')
  const gone = eventOf(server, 'disconnection')
  await child.kill()
  assert.deepEqual(await gone, { name, uuid })
})

test('messages for a client that does not return in time are dropped, with an event', async t => {
  const domain = new Domain(t)
  const server = domain.server(null, { resumeTimeout: 50 })
  const connected = eventOf(server, 'connection')
  const child = domain.spawn('client.js', ['doomed'])
  await connected
  const dropped = eventOf(server, 'dropped')
  const gone = eventOf(server, 'disconnection')
  await child.kill('SIGSTOP')
  const text = 'x'.repeat(10_000)
  for (let round = 0; round < 200; round++) server.emit('doomed', 'word', text)
  await child.kill()
  await gone
  const loss = await dropped
  assert.equal(loss.name, 'doomed')
  assert.ok(loss.messages > 0 && loss.messages <= 200, `${loss.messages} messages`)
  assert.ok(loss.bytes >= loss.messages * text.length, `${loss.bytes} bytes`)
})

test('nothing is dropped if a client closes properly', async t => {
  const domain = new Domain(t)
  const server = domain.server(null, { resumeTimeout: 10 })
  const dropped = new Inbox()
  server.on('dropped', dropped.take)
  const inbox = new Inbox()
  const alice = await domain.client('alice', { word: inbox.take })
  for (let round = 0; round < 100; round++) server.emit('alice', 'word', round)
  await inbox.first(100)
  const gone = eventOf(server, 'disconnection')
  await alice.close()
  await gone
  // Later than the time after which messages are dropped.
  await within(new Promise(resolve => setTimeout(resolve, 100)), 'a while')
  assert.deepEqual(dropped.all, [])
})
