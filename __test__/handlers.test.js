'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { Client, Server } = require('..')
const { eventOf } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const RESTRICTED = ['handshake', 'discover', 'broadcast', 'emit', 'deliver', 'error']

for (const Class of [Server, Client]) {
  const kind = Class.name

  test(`${kind}.addHandlers() refuses a value that is not a collection of functions`, () => {
    const refusal = { code: 'ERR_IPC_INVALID_ARGUMENT' }
    for (const collection of [undefined, null, 7, 'text', true, () => {}]) {
      assert.throws(() => new Class().addHandlers(collection), refusal, String(collection))
    }
    for (const value of [undefined, null, 7, 'text', {}]) {
      assert.throws(() => new Class().addHandlers({ word: value }), refusal, String(value))
      assert.throws(() => new Class({}, { word: value }), refusal, String(value))
    }
    assert.throws(() => new Class({}, 7), refusal)
  })

  test(`${kind}.addHandlers() refuses commands of the protocol`, () => {
    for (const command of RESTRICTED) {
      const refusal = { name: 'Error', code: 'ERR_IPC_RESTRICTED_COMMAND' }
      assert.throws(() => new Class().addHandlers({ [command]() {} }), refusal, command)
      assert.throws(() => new Class({}, { [command]() {} }), refusal, command)
    }
  })

  test(`${kind}.addHandlers() refuses a command that has a handler`, () => {
    const refusal = { name: 'Error', code: 'ERR_IPC_HANDLER_EXISTS' }
    const instance = new Class({}, { first() {} }).addHandlers({ second() {} })
    assert.throws(() => instance.addHandlers({ first() {} }), refusal)
    assert.throws(() => instance.addHandlers({ second() {} }), refusal)
  })

  test(`${kind}.addHandlers() adds none of a collection that it refuses`, () => {
    const instance = new Class({}, { taken() {} })
    assert.throws(() => instance.addHandlers({ good() {}, taken() {} }))
    assert.throws(() => instance.addHandlers({ good() {}, emit() {} }))
    assert.throws(() => instance.addHandlers({ good() {}, bad: 7 }))
    assert.equal(instance.addHandlers({ good() {} }), instance)
  })

  test(`${kind}.addHandlers() takes an empty collection, and one without a prototype`, () => {
    const bare = Object.assign(Object.create(null), { word() {} })
    const instance = new Class()
    assert.equal(instance.addHandlers({}), instance)
    assert.equal(instance.addHandlers(bare), instance)
    assert.throws(() => instance.addHandlers({ word() {} }), { code: 'ERR_IPC_HANDLER_EXISTS' })
  })
}

test('handlers may be added at any time, also while messages come in', async t => {
  const domain = new Domain(t)
  const server = domain.server({ add: () => server.addHandlers({ added: () => 'by the server' }) && null })
  const alice = await domain.client('alice')
  await assert.rejects(alice.deliver('added'), { code: 'ERR_IPC_NO_SUCH_COMMAND' })
  await alice.deliver('add')
  assert.equal(await alice.deliver('added'), 'by the server')
  assert.equal(alice.addHandlers({ added: () => 'by the client' }), alice)
  assert.equal(await alice.deliver('alice', 'added', null), 'by the client')
})

test('this in a handler is the Server or the Client', async t => {
  const domain = new Domain(t)
  const seen = []
  const server = domain.server({
    word() {
      seen.push(this)
    },
  })
  const alice = await domain.client('alice', {
    word() {
      seen.push(this)
    },
  })
  await alice.deliver('word')
  await alice.deliver('alice', 'word', null)
  assert.deepEqual([seen[0] === server, seen[1] === alice], [true, true])
})

test('a handler is called with one argument', async t => {
  const domain = new Domain(t)
  domain.server({ count: (...args) => args.length })
  const alice = await domain.client('alice', { count: (...args) => args.length })
  assert.equal(await alice.deliver('count', 1), 1)
  assert.equal(await alice.deliver('alice', 'count', 1), 1)
})

test('a server whose handler throws continues, and emits an error event', async t => {
  const domain = new Domain(t)
  const failure = new Error('out of order')
  const inbox = new Inbox()
  const server = domain.server({
    fail() {
      throw failure
    },
    word: inbox.takeData,
  })
  const errors = new Inbox()
  server.on('error', errors.take)
  const alice = await domain.client('alice')
  // One batch: the messages next to the failing one are handled nevertheless.
  const sent = [
    alice.send('word', 1),
    alice.send('fail'),
    alice.send('word', 2),
    alice.send('fail'),
    alice.send('word', 3),
  ]
  await Promise.all(sent)
  assert.deepEqual(await inbox.first(3), [1, 2, 3])
  assert.deepEqual(await errors.first(2), [failure, failure])
  assert.equal((await errors.first(1))[0], failure)
})

test('a handler whose promise rejects without a waiting sender causes an error event', async t => {
  const domain = new Domain(t)
  const failure = new Error('out of order')
  const server = domain.server({ fail: async () => Promise.reject(failure), echo: ({ data }) => data })
  const alice = await domain.client('alice')
  const told = eventOf(server, 'error')
  await alice.send('fail')
  assert.equal(await told, failure)
  assert.equal(await alice.deliver('echo', 1), 1)
})

test('a client whose handler throws or rejects continues, and emits an error event', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const failure = new Error('out of order')
  const inbox = new Inbox()
  const errors = new Inbox()
  const alice = await domain.client('alice', {
    fail() {
      throw failure
    },
    reject: () => Promise.reject(failure),
    word: inbox.takeData,
  })
  alice.on('error', errors.take)
  server.emit('alice', 'fail').emit('alice', 'word', 1).emit('alice', 'reject').broadcast('word', 2)
  assert.deepEqual(await inbox.first(2), [1, 2])
  assert.deepEqual(await errors.first(2), [failure, failure])
})

for (const how of ['throw', 'reject']) {
  test(`a handler that fails by ${how} without an error listener is an uncaught exception`, async t => {
    const domain = new Domain(t)
    const child = domain.spawn('failing-server.js', [how])
    await child.report('listening')
    const alice = await domain.client('alice')
    const sent = [alice.send('word', 1), alice.send('fail'), alice.send('word', 2)]
    for (const promise of sent) promise.catch(() => {})
    // The rest of the batch is handled nevertheless.
    assert.deepEqual([await child.report('word'), await child.report('word')], [1, 2])
    assert.equal(await child.report('uncaught'), 'out of order')
    assert.deepEqual(await child.end(), { code: 7, signal: null })
  })
}

test('the error of a delivery goes to the caller and causes no error event', async t => {
  const domain = new Domain(t)
  const server = domain.server({
    fail() {
      throw new Error('for the caller')
    },
    reject: () => Promise.reject(new Error('for the caller')),
  })
  const errors = new Inbox()
  server.on('error', errors.take)
  const alice = await domain.client('alice')
  await assert.rejects(alice.deliver('fail'), { message: 'for the caller' })
  await assert.rejects(alice.deliver('reject'), { message: 'for the caller' })
  assert.deepEqual(errors.all, [])
})
