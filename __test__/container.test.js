'use strict'

const assert = require('node:assert/strict')
const { EventEmitter } = require('node:events')
const test = require('node:test')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

test('on a server the container names the sender', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server({ word: inbox.take })
  const alice = await domain.client('alice')
  await alice.send('word', { a: 1 })
  const [container] = await inbox.first(1)
  assert.deepEqual(container.data, { a: 1 })
  assert.equal(container.name, 'alice')
  assert.equal(container.client_name, 'alice')
  assert.equal(container.from, 'alice')
  assert.equal(container.uuid, alice.uuid)
  assert.equal(container.redelivered, false)
  assert.equal(container.server.address(), domain.path)
  assert.equal(container.server.listening, true)
  assert.equal(container.server, server)
})

test('on a client the container names the client itself and the sender', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const inbox = new Inbox()
  const alice = await domain.client('alice', { word: inbox.take })
  const bob = await domain.client('bob')
  server.emit('alice', 'word', 1)
  server.broadcast('word', 2)
  await inbox.first(2)
  await bob.emit('alice', 'word', 3)
  await bob.broadcast('word', 4)
  await bob.deliver('alice', 'word', 5)
  const containers = await inbox.first(5)
  assert.deepEqual(
    containers.map(({ data, from }) => [data, from]),
    [
      [1, ''],
      [2, ''],
      [3, 'bob'],
      [4, 'bob'],
      [5, 'bob'],
    ],
  )
  for (const container of containers) {
    assert.equal(container.name, 'alice')
    assert.equal(container.client_name, 'alice')
    assert.equal(container.uuid, alice.uuid)
    assert.equal(container.redelivered, false)
    assert.equal(container.server, null)
  }
})

test('a container lists the fields of 0.6.2 among its own', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.take })
  const alice = await domain.client('alice', { word: inbox.take })
  await alice.send('word')
  await alice.emit('alice', 'word')
  for (const container of await inbox.first(2)) {
    const { data, uuid, name, client_name, socket, server } = container
    assert.deepEqual([data, name, client_name], [null, 'alice', 'alice'])
    assert.equal(uuid, alice.uuid)
    assert.ok(socket instanceof EventEmitter)
    assert.notEqual(server, undefined)
    assert.deepEqual({ ...container }.data, null)
  }
})

test('a container keeps its values after the handler has returned', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.take })
  const clients = [await domain.client('alice'), await domain.client('bob')]
  await Promise.all(clients.flatMap(client => [1, 2, 3].map(data => client.send('word', data))))
  const seen = (await inbox.first(6)).map(({ name, data, uuid }) => [name, data, uuid])
  const expected = clients.flatMap(({ name, uuid }) => [1, 2, 3].map(data => [name, data, uuid]))
  assert.deepEqual(seen.sort(), expected.sort())
})

test('socket.writeCommand() of a server reaches the client behind it', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({
    ask: ({ socket, data }) =>
      new Promise(resolve => {
        socket.writeCommand('reply', { got: data }, error => resolve(error ?? 'written'))
      }),
  })
  const alice = await domain.client('alice', { reply: inbox.take })
  assert.equal(await within(alice.deliver('ask', 'žluťoučký'), 'the callback'), 'written')
  const [container] = await inbox.first(1)
  assert.deepEqual([container.data, container.from], [{ got: 'žluťoučký' }, ''])
})

test('socket.writeCommand() of a client reaches the server', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server({ reply: inbox.take })
  await domain.client('alice', { ask: ({ socket, data }) => socket.writeCommand('reply', data) })
  server.emit('alice', 'ask', [1, 2])
  const [container] = await inbox.first(1)
  assert.deepEqual([container.data, container.name], [[1, 2], 'alice'])
})

test('socket.writeCommand() keeps its place among the other messages', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server({
    ask({ socket, name }) {
      for (let round = 0; round < 100; round++) {
        server.emit(name, 'word', round * 3)
        socket.writeCommand('word', round * 3 + 1)
        server.broadcast('word', round * 3 + 2)
      }
    },
  })
  const alice = await domain.client('alice', { word: inbox.takeData })
  await alice.send('ask')
  assert.deepEqual(
    await inbox.first(300),
    Array.from({ length: 300 }, (_, number) => number),
  )
})

test('socket.writeCommand() refuses what cannot be sent', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ ask: inbox.take })
  const alice = await domain.client('alice')
  await alice.send('ask')
  const [{ socket }] = await inbox.first(1)
  assert.throws(() => socket.writeCommand('word', 1n), { code: 'ERR_IPC_NOT_SERIALIZABLE' })
  assert.throws(() => socket.writeCommand('emit', 1), { code: 'ERR_IPC_RESTRICTED_COMMAND' })
  assert.throws(() => socket.writeCommand(7, 1), { code: 'ERR_IPC_INVALID_ARGUMENT' })
  assert.equal(alice.isConnected(), true)
})

test('socket.write() takes messages as 0.6.2 writes them', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({
    ask({ socket }) {
      const texts = [1, '}{', null].map(data =>
        JSON.stringify({ id: null, command: 'reply', data, delivery: null }),
      )
      socket.write(texts[0])
      return new Promise(resolve => {
        socket.write(texts[1] + texts[2], 'utf8', () => socket.write(texts[0], resolve))
      }).then(() => 'called back')
    },
  })
  const alice = await domain.client('alice', { reply: inbox.takeData })
  assert.equal(await within(alice.deliver('ask'), 'both callbacks'), 'called back')
  assert.deepEqual(await inbox.first(4), [1, '}{', null, 1])
})

for (const how of ['end', 'destroy']) {
  test(`socket.${how}() ends the connection, and the client reconnects`, async t => {
    const domain = new Domain(t)
    const inbox = new Inbox()
    const server = domain.server({ ask: inbox.take, echo: ({ data }) => data })
    const alice = await domain.client('alice')
    await alice.send('ask')
    const [{ socket }] = await inbox.first(1)
    assert.equal(socket.writable, true)
    const parted = [eventOf(socket, 'close'), eventOf(alice, 'disconnect'), eventOf(server, 'disconnection')]
    const back = eventOf(alice, 'connect')
    socket[how]()
    const [, , gone] = await Promise.all(parted)
    assert.equal(gone.name, 'alice')
    await back
    // The socket is that of the client, not of one connection.
    assert.equal(socket.writable, true)
    assert.equal(await alice.deliver('echo', 'back'), 'back')
  })
}

test('socket.end() first writes what was written before', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({
    ask({ socket }) {
      for (let number = 0; number < 100; number++) socket.writeCommand('word', number)
      socket.end()
    },
  })
  const alice = await domain.client('alice', { word: inbox.takeData })
  alice.send('ask').catch(() => {})
  assert.deepEqual(
    await inbox.first(100),
    Array.from({ length: 100 }, (_, number) => number),
  )
})

test('a client that disconnects closes the socket on the server', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ ask: inbox.take })
  const alice = await domain.client('alice')
  await alice.send('ask')
  const [{ socket }] = await inbox.first(1)
  const closed = eventOf(socket, 'close')
  await alice.close()
  await closed
  assert.equal(socket.writable, false)
  const error = await new Promise(resolve => socket.writeCommand('word', 1, resolve))
  assert.ok(error instanceof Error)
})

test('a server that closes closes the socket on the client', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server()
  await domain.client('alice', { ask: inbox.take })
  server.emit('alice', 'ask')
  const [{ socket }] = await inbox.first(1)
  const closed = eventOf(socket, 'close')
  await server.close()
  await closed
  assert.equal(socket.writable, false)
})

test('socket.writeCommand() returns false when much waits, and drain follows once it is sent', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ ask: inbox.take })
  const words = new Inbox()
  const alice = await domain.client('alice', { word: ({ data }) => words.take(data.length) })
  await alice.send('ask')
  const [{ socket }] = await inbox.first(1)
  assert.equal(socket.writeCommand('word', 'small'), true)
  assert.equal(socket.writeCommand('word', 'x'.repeat(32 << 20)), false)
  await eventOf(socket, 'drain')
  assert.deepEqual(await words.first(2), [5, 32 << 20])
})
