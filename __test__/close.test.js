'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const test = require('node:test')
const { Client, Server } = require('..')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const numbers = Array.from({ length: 2_000 }, (_, number) => number)

test('server.close() removes the socket, and start() may be called again', async t => {
  const domain = new Domain(t)
  const server = domain.idleServer({ echo: ({ data }) => data })
  for (let round = 0; round < 3; round++) {
    server.start()
    const client = await domain.client(`round ${round}`)
    assert.equal(await client.deliver('echo', round), round)
    await client.close()
    assert.equal(await within(server.close(), 'close()'), undefined)
    assert.equal(fs.existsSync(domain.path), false)
  }
})

test('close() resolves if never started, and if called again', async t => {
  assert.equal(await new Server().close(), undefined)
  assert.equal(await new Client().close(), undefined)
  const domain = new Domain(t)
  const server = domain.server()
  const alice = await domain.client('alice')
  await within(Promise.all([alice.close(), alice.close()]), 'both')
  await within(alice.close(), 'the third')
  await within(Promise.all([server.close(), server.close()]), 'both')
  await within(server.close(), 'the third')
})

test('server.close() first sends what was emitted and broadcast', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const inbox = new Inbox()
  await domain.client('alice', { word: inbox.takeData })
  for (const number of numbers) {
    if (number % 2) server.emit('alice', 'word', number)
    else server.broadcast('word', number)
  }
  server.emit('alice', 'word', 'x'.repeat(5_000_000))
  await within(server.close(), 'close()')
  const got = await inbox.first(numbers.length + 1)
  assert.deepEqual(got.slice(0, -1), numbers)
  assert.equal(got.at(-1).length, 5_000_000)
})

test('server.close() waits for outstanding answers', async t => {
  const domain = new Domain(t)
  const asked = new Inbox()
  const server = domain.server({
    slow: ({ data }) => {
      asked.take()
      return new Promise(resolve => setTimeout(resolve, 50, data))
    },
  })
  const alice = await domain.client('alice')
  const delivery = alice.deliver('slow', 'answered')
  await asked.first(1)
  const closed = server.close()
  assert.equal(await within(delivery, 'the answer'), 'answered')
  await within(closed, 'close()')
})

test('server.close() gives up on a handler that never ends', async t => {
  const domain = new Domain(t)
  const asked = new Inbox()
  const server = domain.server(
    {
      never() {
        asked.take()
        return new Promise(() => {})
      },
    },
    { closeTimeout: 50 },
  )
  const alice = await domain.client('alice', null, { closeTimeout: 50 })
  const delivery = alice.deliver('never').catch(error => error.code)
  await asked.first(1)
  await within(server.close(), 'close()')
  assert.deepEqual(domain.files(), [])
  await alice.close()
  assert.equal(await within(delivery, 'the rejection'), 'ERR_IPC_CLOSED')
})

test('after server.close() the clients look for the next server', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data })
  const alice = await domain.client('alice')
  const gone = eventOf(alice, 'disconnect')
  await server.close()
  await gone
  assert.deepEqual([alice.isStarted(), alice.isConnected()], [true, false])
  assert.throws(() => alice.connect(), { code: 'ERR_IPC_ALREADY_STARTED' })
  const back = eventOf(alice, 'connect')
  server.start()
  await back
  assert.equal(await alice.deliver('echo', 'back'), 'back')
})

test('server.close() may be called in a handler', async t => {
  const domain = new Domain(t)
  const closed = new Inbox()
  const server = domain.server({
    leave() {
      server.close().then(() => closed.take())
      return 'bye'
    },
  })
  const alice = await domain.client('alice')
  assert.equal(await within(alice.deliver('leave'), 'the answer'), 'bye')
  await closed.first(1)
  assert.equal(server.isStarted(), false)
})

test('client.close() first sends what is queued', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.takeData })
  const bob = new Inbox()
  await domain.client('bob', { word: bob.takeData })
  const alice = await domain.client('alice')
  const sent = numbers.map(number =>
    number % 2 ? alice.send('word', number) : alice.emit('bob', 'word', number),
  )
  sent.push(alice.deliver('word', 'x'.repeat(5_000_000)))
  await within(alice.close(), 'close()')
  const settled = await Promise.allSettled(sent)
  assert.deepEqual(
    settled.filter(({ status }) => status !== 'fulfilled'),
    [],
  )
  assert.deepEqual(
    inbox.all.slice(0, -1),
    numbers.filter(number => number % 2),
  )
  assert.equal(inbox.all.at(-1).length, 5_000_000)
  assert.deepEqual(
    await bob.first(1_000),
    numbers.filter(number => number % 2 === 0),
  )
})

test('client.close() rejects messages that cannot be sent to a server', async t => {
  const alice = new Domain(t).idleClient('alice')
  const connecting = alice.connect()
  const waiting = [
    connecting,
    alice.send('word', 1),
    alice.emit('bob', 'word', 1),
    alice.broadcast('word', 1),
    alice.deliver('word', 1),
    alice.deliver('bob', 'word', 1),
    alice.discover(),
  ]
  const settled = Promise.allSettled(waiting)
  await within(alice.close(), 'close()')
  const reasons = (await within(settled, 'the rejections')).map(({ reason }) => reason)
  for (const reason of reasons) assert.ok(reason instanceof Error)
  assert.deepEqual(
    reasons.map(({ code }) => code),
    Array(7).fill('ERR_IPC_CLOSED'),
  )
  assert.deepEqual([alice.isStarted(), alice.isConnected()], [false, false])
})

test('client.close() also rejects messages sent before connect()', async t => {
  const alice = new Domain(t).idleClient('alice')
  const settled = Promise.allSettled([alice.send('word', 1), alice.deliver('word', 1)])
  await within(alice.close(), 'close()')
  const codes = (await within(settled, 'the rejections')).map(({ reason }) => reason?.code)
  assert.deepEqual(codes, ['ERR_IPC_CLOSED', 'ERR_IPC_CLOSED'])
})

test('client.close() may be called in a handler', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const closed = new Inbox()
  const alice = await domain.client('alice', {
    leave() {
      alice.close().then(() => closed.take())
    },
  })
  const gone = eventOf(server, 'disconnection')
  server.emit('alice', 'leave')
  await closed.first(1)
  assert.equal((await gone).name, 'alice')
  assert.equal(alice.isStarted(), false)
})

test('a closed client sends nothing until it connects again', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.takeData })
  const alice = await domain.client('alice')
  await alice.send('word', 1)
  await alice.close()
  const closed = { code: 'ERR_IPC_CLOSED' }
  await assert.rejects(alice.send('word', 2), closed)
  await assert.rejects(alice.emit('alice', 'word', 2), closed)
  await assert.rejects(alice.broadcast('word', 2), closed)
  await assert.rejects(alice.deliver('word', 2), closed)
  await assert.rejects(alice.discover(), closed)
  await alice.connect()
  await alice.send('word', 3)
  assert.deepEqual(inbox.all, [1, 3])
})

test('a name is free once the client that had it is closed', async t => {
  const domain = new Domain(t)
  domain.server({ who: ({ uuid }) => uuid })
  for (let round = 0; round < 50; round++) {
    const alice = await domain.client('alice')
    assert.equal(await alice.deliver('who'), alice.uuid)
    await alice.close()
  }
})

test('close() aborts a connect() in progress, and connect() may be called again', async t => {
  const domain = new Domain(t)
  domain.server()
  const alice = domain.idleClient('alice')
  for (let round = 0; round < 20; round++) {
    const connecting = alice.connect().then(
      () => 'connected',
      error => error.code,
    )
    await within(alice.close(), 'close()')
    assert.match(await within(connecting, 'connect()'), /^(connected|ERR_IPC_CLOSED)$/)
  }
  await within(alice.connect(), 'connect()')
  assert.deepEqual((await alice.discover()).clients, ['alice'])
})

test('a refused connect() does not reopen a client that closes', async t => {
  const domain = new Domain(t)
  let end
  const slow = () =>
    new Promise(resolve => {
      end = resolve
    })
  domain.server({ slow, word() {} })
  const alice = await domain.client('alice')
  const answer = alice.deliver('slow')
  await alice.send('word', 1)
  const closed = alice.close()
  assert.throws(() => alice.connect(), { code: 'ERR_IPC_ALREADY_STARTED' })
  await assert.rejects(alice.send('word', 2), { code: 'ERR_IPC_CLOSED' })
  end()
  await answer
  await closed
})
