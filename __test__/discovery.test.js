'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { inspect } = require('node:util')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

test('discover() lists the clients and the commands of the server', async t => {
  const domain = new Domain(t)
  domain.server({ first() {}, second() {} })
  const alice = await domain.client('alice', { own() {} })
  await domain.client('bob')
  assert.deepEqual(await alice.discover(), {
    clients: ['alice', 'bob'],
    command_handlers: ['first', 'second'],
  })
})

test('discover() of an empty server lists the client itself', async t => {
  const domain = new Domain(t)
  domain.server()
  const alice = await domain.client('alice')
  assert.deepEqual(await alice.discover(), { clients: ['alice'], command_handlers: [] })
})

test('the list of commands is also called handlers, without being shown twice', async t => {
  const domain = new Domain(t)
  domain.server({ first() {} })
  const found = await (await domain.client('alice')).discover()
  assert.deepEqual(found.handlers, ['first'])
  assert.equal(found.handlers, found.command_handlers)
  assert.deepEqual(Object.keys(found), ['clients', 'command_handlers'])
  assert.equal(JSON.stringify(found), '{"clients":["alice"],"command_handlers":["first"]}')
  assert.doesNotMatch(inspect(found), /\bhandlers\b/)
})

test('discover() called again while one is under way returns the same promise', async t => {
  const domain = new Domain(t)
  domain.server()
  const alice = await domain.client('alice')
  const first = alice.discover()
  assert.equal(alice.discover(), first)
  await first
  const later = alice.discover()
  assert.notEqual(later, first)
  assert.deepEqual((await later).clients, ['alice'])
})

test('discover() before the connection waits for it', async t => {
  const domain = new Domain(t)
  const alice = domain.idleClient('alice')
  const found = alice.discover()
  assert.equal(alice.discover(), found)
  domain.server({ word() {} })
  await alice.connect()
  assert.deepEqual((await within(found, 'discover()')).command_handlers, ['word'])
})

test('discover() rejects when the client is closed, and works again after the next connect()', async t => {
  const domain = new Domain(t)
  const alice = domain.idleClient('alice')
  const connecting = alice.connect().catch(() => {})
  const found = alice.discover()
  found.catch(() => {})
  await alice.close()
  await connecting
  await assert.rejects(within(found, 'the rejection'), { code: 'ERR_IPC_CLOSED' })
  domain.server()
  await alice.connect()
  assert.deepEqual((await within(alice.discover(), 'discover()')).clients, ['alice'])
})

test('a client that has left is not listed, and leaves its name to others', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const alice = await domain.client('alice')
  for (let round = 0; round < 20; round++) {
    const bob = await domain.client('bob')
    assert.deepEqual((await alice.discover()).clients, ['alice', 'bob'])
    const gone = eventOf(server, 'disconnection')
    await bob.close()
    await gone
    assert.deepEqual((await alice.discover()).clients, ['alice'])
  }
})

test('commands that are added later are listed', async t => {
  const domain = new Domain(t)
  const server = domain.server({ first() {} })
  const alice = await domain.client('alice')
  assert.deepEqual((await alice.discover()).command_handlers, ['first'])
  server.addHandlers({ second() {}, 'a}{b': () => {} })
  assert.deepEqual((await alice.discover()).command_handlers, ['first', 'second', 'a}{b'])
})
