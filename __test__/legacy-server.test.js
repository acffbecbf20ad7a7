'use strict'

/** Our client, with a server that still runs 0.6.2. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { eventOf, turns, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

/** A client that the server, too, knows to be connected: 0.6.2 loses what it emits before. */
async function join(domain, server, name, handlers) {
  const connected = eventOf(server, 'connection')
  const client = await domain.client(name, handlers)
  assert.equal(await connected, name)
  return client
}

const LARGE = 'x}{"\\é'.repeat(60_000)

test('our client connects to an old server, and disconnects', async t => {
  const domain = new Domain(t)
  const server = await domain.legacyServer()
  const connected = eventOf(server, 'connection')
  const alice = await domain.client('alice')
  assert.equal(await connected, 'alice')
  assert.equal(alice.isConnected(), true)
  assert.match(alice.uuid, /^[0-9a-f]{32}$/)
  const gone = eventOf(server, 'disconnection')
  await within(alice.close(), 'close()')
  assert.equal(await gone, 'alice')
})

test('what our client sends arrives at an old server', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  await domain.legacyServer({ word: inbox.take })
  const alice = await domain.client('alice')
  for (const data of [{ a: 1 }, [1, 'two'], LARGE, 'a}{b', '\ud800\u2028']) {
    await within(alice.send('word', data), 'send()')
  }
  await alice.send('word', Buffer.from([1, 255]))
  const containers = await inbox.first(6)
  assert.deepEqual(
    containers.map(({ data }) => data),
    [{ a: 1 }, [1, 'two'], LARGE, 'a}{b', '\ud800\u2028', { type: 'Buffer', data: [1, 255] }],
  )
  for (const { name, uuid } of containers) assert.deepEqual([name, uuid], ['alice', alice.uuid])
})

test('the id that send() is given goes to an old server', async t => {
  const domain = new Domain(t)
  const server = await domain.legacyServer({ ask: ({ data }) => `answer to ${data}` })
  const inbox = new Inbox()
  const alice = await join(domain, server, 'alice', { word: inbox.takeData })
  await within(alice.send('ask', 'a question', '0123456789abcdef0123456789abcdef'), 'send()')
  server.emit('alice', 'word', 'goes on')
  assert.deepEqual(await inbox.first(1), ['goes on'])
})

test('our client gets what an old server emits, broadcasts and writes to its socket', async t => {
  const domain = new Domain(t)
  const server = await domain.legacyServer({
    ask: ({ socket, data }) => socket.writeCommand('word', data),
  })
  const inbox = new Inbox()
  const alice = await join(domain, server, 'alice', { word: inbox.take })
  server.emit('alice', 'word', { by: 'emit' })
  server.broadcast('word', LARGE)
  server.emit('alice', 'unheard of', 1)
  for (const data of [0, false, '', null, undefined]) server.emit('alice', 'word', data)
  await inbox.first(7)
  await alice.send('ask', 'žluťoučký')
  const containers = await inbox.first(8)
  assert.deepEqual(
    containers.map(({ data }) => data),
    [{ by: 'emit' }, LARGE, 0, false, '', null, null, 'žluťoučký'],
  )
  for (const { name, client_name, uuid, from, server, redelivered } of containers) {
    assert.deepEqual([name, client_name, uuid], ['alice', 'alice', alice.uuid])
    assert.deepEqual([from, server, redelivered], ['', null, false])
  }
})

test('container.socket of our client writes to an old server', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = await domain.legacyServer({ reply: inbox.takeData })
  await join(domain, server, 'alice', {
    ask: ({ socket, data }) => socket.writeCommand('reply', data),
  })
  server.emit('alice', 'ask', [1, 2])
  assert.deepEqual(await inbox.first(1), [[1, 2]])
})

test('our client delivers to an old server', async t => {
  const domain = new Domain(t)
  await domain.legacyServer({
    echo: ({ data }) => data,
    later: async ({ data }) => ({ late: data }),
    nothing() {},
  })
  const alice = await domain.client('alice')
  const answers = [
    alice.deliver('echo', { a: [1] }),
    alice.deliver(null, 'later', 5),
    alice.deliver('nothing'),
    alice.deliver('unheard of', 1),
    alice.deliver('echo', LARGE),
  ]
  assert.deepEqual(await within(Promise.all(answers), 'the answers'), [
    { a: [1] },
    { late: 5 },
    null,
    null,
    LARGE,
  ])
})

test('where an old server never answers, timeout and signal end the waiting', async t => {
  const domain = new Domain(t)
  await domain.legacyServer({ echo: ({ data }) => data })
  const alice = await domain.client('alice')
  const waiting = alice.deliver('nobody', 'echo', 1, { timeout: 30 })
  await assert.rejects(within(waiting, 'the rejection'), { code: 'ERR_IPC_TIMEOUT' })
  const aborted = alice.deliver('nobody', 'echo', 1, { signal: AbortSignal.timeout(30) })
  await assert.rejects(within(aborted, 'the rejection'), { name: 'TimeoutError' })
  assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
})

test('a handler of our client that fails answers an old server with null', async t => {
  const domain = new Domain(t)
  const server = await domain.legacyServer()
  await join(domain, server, 'alice', {
    fail() {
      throw new Error('out of order')
    },
    reject: () => Promise.reject(new Error('out of order')),
    echo: ({ data }) => data,
  })
  const bob = await domain.legacyClient('bob')
  for (const command of ['fail', 'reject', 'unheard of']) {
    assert.equal(await within(bob.deliver('alice', command, 1), command), null)
  }
  assert.equal(await bob.deliver('alice', 'echo', 'goes on'), 'goes on')
})

test('our client discovers at an old server', async t => {
  const domain = new Domain(t)
  await domain.legacyServer({ first() {}, second() {} })
  const alice = await domain.client('alice')
  await domain.legacyClient('bob')
  const found = await within(alice.discover(), 'discover()')
  assert.deepEqual(found, { clients: ['alice', 'bob'], command_handlers: ['first', 'second'] })
  assert.deepEqual(found.handlers, ['first', 'second'])
  for (let round = 0; round < 3; round++) {
    assert.deepEqual((await within(alice.discover(), 'discover()')).clients, ['alice', 'bob'])
  }
})

test('our client is refused a taken name', async t => {
  const domain = new Domain(t)
  await domain.legacyServer()
  await domain.legacyClient('alice')
  const second = domain.idleClient('alice')
  await assert.rejects(within(second.connect(), 'the refusal'), { code: 'ERR_IPC_NAME_TAKEN' })
  assert.equal(second.isStarted(), false)
})

test('a broadcast of our client comes back from an old server, as it does there', async t => {
  const domain = new Domain(t)
  const server = await domain.legacyServer()
  const [alice, bob] = [new Inbox(), new Inbox()]
  const client = await join(domain, server, 'alice', { word: alice.takeData })
  await join(domain, server, 'bob', { word: bob.takeData })
  await within(client.broadcast('word', 'to all'), 'broadcast()')
  await within(client.emit('bob', 'word', 'to bob'), 'emit()')
  assert.deepEqual(await bob.first(2), ['to all', 'to bob'])
  assert.deepEqual(await alice.first(1), ['to all'])
})

test('our client comes back to an old server that starts again', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = await domain.legacyServer({ word: inbox.takeData, echo: ({ data }) => data })
  const alice = await domain.client('alice')
  const gone = eventOf(alice, 'disconnect')
  await server.close()
  await gone
  assert.deepEqual([alice.isConnected(), alice.isStarted()], [false, true])
  const queued = [
    alice.send('word', 1),
    alice.send('word', 2),
    alice.deliver('echo', 'queued'),
    alice.discover(),
    alice.emit('nobody', 'word', 1),
    alice.broadcast('word', 1),
  ]
  const back = eventOf(alice, 'connect')
  await server.start()
  await back
  const [, , answer, found] = await within(Promise.all(queued), 'all promises')
  assert.deepEqual([answer, found.clients], ['queued', ['alice']])
  assert.deepEqual(await inbox.first(2), [1, 2])
})

test('a delivery that an old server took with it is asked again of the next', async t => {
  const domain = new Domain(t)
  const asked = new Inbox()
  let answer = false
  const server = await domain.legacyServer({
    ask: ({ data }) => {
      asked.take(data)
      return answer ? `answer to ${data}` : new Promise(() => {})
    },
  })
  const alice = await domain.client('alice')
  const delivery = alice.deliver('ask', 'a question')
  await asked.first(1)
  answer = true
  await server.close()
  await server.start()
  assert.equal(await within(delivery, 'the answer'), 'answer to a question')
})

test('our client goes over to a new server in place of an old one, and back', async t => {
  const domain = new Domain(t)
  const old = await domain.legacyServer({ which: () => 'old' })
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('which'), 'old')
  await old.close()
  const server = domain.server({ which: () => 'new' })
  assert.equal(await within(alice.deliver('which'), 'the new server'), 'new')
  await assert.rejects(alice.deliver('unheard of'), { code: 'ERR_IPC_NO_SUCH_COMMAND' })
  await server.close()
  await old.start()
  assert.equal(await within(alice.deliver('which'), 'the old server'), 'old')
  assert.equal(await alice.deliver('unheard of'), null)
})

test('messages of our client keep their order on each of the two sockets', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  await domain.legacyServer({ word: inbox.takeData })
  const others = new Inbox()
  await domain.legacyClient('bob', { word: others.takeData })
  const alice = await domain.client('alice')
  const numbers = Array.from({ length: 3_000 }, (_, number) => number + 1)
  const sent = numbers.flatMap(number => [
    number % 2 ? alice.send('word', number) : alice.deliver('word', number),
    number % 2 ? alice.emit('bob', 'word', number) : alice.deliver('bob', 'word', number),
  ])
  await within(Promise.all(sent), 'all promises')
  assert.deepEqual(await inbox.first(numbers.length), numbers)
  assert.deepEqual(await others.first(numbers.length), numbers)
})

test('close() of our client sends to an old server what was sent before', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  await domain.legacyServer({ word: inbox.takeData })
  const alice = await domain.client('alice')
  const sent = Array.from({ length: 500 }, (_, number) => alice.send('word', number + 1))
  sent.push(alice.deliver('word', 'x'.repeat(3_000_000)))
  await within(alice.close(), 'close()')
  await Promise.all(sent)
  await turns()
  assert.equal((await inbox.first(501)).at(-1).length, 3_000_000)
})

test('a second server cannot start where an old one listens', async t => {
  const domain = new Domain(t)
  const old = await domain.legacyServer({ which: () => 'old' })
  assert.throws(() => domain.idleServer().start(), { code: 'EADDRINUSE' })
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('which'), 'old')
  assert.deepEqual(old.clients, ['alice'])
})
