'use strict'

/** A client that still runs 0.6.2, with our server. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { NAME_TAKEN } = require('./support/legacy-peer.js')

const LARGE = 'x}{"\\é'.repeat(60_000)

test('an old client connects, with the same events as any other', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const connected = eventOf(server, 'connection')
  const alice = await domain.legacyClient('alice')
  assert.deepEqual(await connected, { name: 'alice', uuid: alice.uuid })
  assert.match(alice.uuid, /^[0-9a-f]{32}$/)
  const gone = eventOf(server, 'disconnection')
  alice.close()
  assert.deepEqual(await gone, { name: 'alice', uuid: alice.uuid ?? (await connected).uuid })
})

test('its private socket is removed when it leaves, and accepts no one else before', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const gone = eventOf(server, 'disconnection')
  const alice = await domain.legacyClient('alice')
  const refused = await new Promise(resolve => {
    require('node:net')
      .connect(`${domain.path}.${alice.uuid}`)
      .on('error', error => resolve(error.code))
      .on('close', () => resolve('closed'))
  })
  assert.match(refused, /^(ENOENT|ECONNREFUSED|closed)$/)
  alice.close()
  await gone
  assert.deepEqual(domain.files(), [`IPC.io.${domain.name}`])
})

test('what an old client sends arrives with its name', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.take })
  const alice = await domain.legacyClient('alice')
  const { uuid } = alice
  for (const data of [{ a: 1 }, [1, 'two'], LARGE, 'a}{b', 0, false, '', null, undefined]) {
    await alice.send('word', data)
  }
  const containers = await inbox.first(9)
  assert.deepEqual(
    containers.map(({ data }) => data),
    [{ a: 1 }, [1, 'two'], LARGE, 'a}{b', 0, false, '', null, null],
  )
  for (const { name, client_name, from, redelivered, ...others } of containers) {
    assert.deepEqual([name, client_name, from, redelivered], ['alice', 'alice', 'alice', false])
    assert.equal(others.uuid, uuid)
  }
})

test('an old client gets what the server emits and broadcasts', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const inbox = new Inbox()
  await domain.legacyClient('alice', { word: inbox.takeData })
  server
    .emit('alice', 'word', { by: 'emit' })
    .broadcast('word', LARGE)
    .broadcast('word', 'not for alice', 'alice')
    .emit('alice', 'unheard of', 1)
    .emit('alice', 'word')
  assert.deepEqual(await inbox.first(3), [{ by: 'emit' }, LARGE, null])
})

test('an old client gets bytes as the JSON of a Buffer', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const inbox = new Inbox()
  await domain.legacyClient('alice', { word: inbox.takeData })
  server.emit('alice', 'word', Buffer.from([1, 255])).broadcast('word', Buffer.alloc(0))
  assert.deepEqual(await inbox.first(2), [
    { type: 'Buffer', data: [1, 255] },
    { type: 'Buffer', data: [] },
  ])
})

test('container.socket writes to an old client', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({
    ask: ({ socket, data }) =>
      new Promise(resolve => {
        socket.writeCommand('word', data, () => {
          const text = JSON.stringify({ id: null, command: 'word', data: 'as text', delivery: null })
          socket.write(text, () => resolve('both called back'))
        })
      }),
  })
  const alice = await domain.legacyClient('alice', { word: inbox.takeData })
  const answer = await within(alice.deliver('ask', 'žluťoučký'), 'the answer')
  assert.equal(answer, 'both called back')
  assert.deepEqual(await inbox.first(2), ['žluťoučký', 'as text'])
})

for (const how of ['end', 'destroy']) {
  test(`container.socket.${how}() ends the connection of an old client`, async t => {
    const domain = new Domain(t)
    const server = domain.server({ part: ({ socket }) => socket[how]() })
    const alice = await domain.legacyClient('alice')
    const parted = [eventOf(alice, 'disconnect'), eventOf(server, 'disconnection')]
    const back = eventOf(alice, 'connect')
    alice.send('part')
    await Promise.all(parted)
    await back
  })
}

test('an old client delivers to the server', async t => {
  const domain = new Domain(t)
  domain.server({
    echo: ({ data }) => data,
    later: ({ data }) => new Promise(resolve => setImmediate(resolve, { late: data })),
    nothing() {},
  })
  const alice = await domain.legacyClient('alice')
  const answers = [
    alice.deliver('echo', { a: [1] }),
    alice.deliver('later', 5),
    alice.deliver('nothing', 1),
    alice.deliver('echo', LARGE),
  ]
  assert.deepEqual(await within(Promise.all(answers), 'the answers'), [{ a: [1] }, { late: 5 }, null, LARGE])
})

test('an old client gets null for a failure, which protocol 1 does not have', async t => {
  const domain = new Domain(t)
  const server = domain.server({
    fail() {
      throw new Error('out of order')
    },
    reject: () => Promise.reject(new Error('out of order')),
    echo: ({ data }) => data,
  })
  server.on('error', () => {})
  const alice = await domain.legacyClient('alice')
  for (const command of ['unheard of', 'fail', 'reject']) {
    assert.equal(await within(alice.deliver(command, 1), command), null)
  }
  assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
})

test('the id given to emit() reaches an old client as that of a delivery', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data })
  const inbox = new Inbox()
  const alice = await domain.legacyClient('alice', { word: inbox.takeData })
  server.emit('alice', 'word', 'with an id', 'my own id').emit('alice', 'word', 'without', null)
  assert.deepEqual(await inbox.first(2), ['with an id', 'without'])
  assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
})

test('an old client discovers', async t => {
  const domain = new Domain(t)
  domain.server({ first() {}, second() {} })
  const alice = await domain.legacyClient('alice')
  await domain.client('bob')
  assert.deepEqual(await alice.discover(), {
    clients: ['alice', 'bob'],
    command_handlers: ['first', 'second'],
  })
})

test('an old client is refused a taken name with 201', async t => {
  const domain = new Domain(t)
  domain.server()
  await domain.client('alice')
  await domain.legacyClient('bob')
  for (const name of ['alice', 'bob']) {
    const second = domain.idleLegacyClient(name)
    second.connect()
    assert.equal(await eventOf(second, 'refused'), NAME_TAKEN)
  }
})

test('a new client is refused the name of an old one', async t => {
  const domain = new Domain(t)
  domain.server()
  await domain.legacyClient('alice')
  await assert.rejects(domain.idleClient('alice').connect(), { code: 'ERR_IPC_NAME_TAKEN' })
})

test('an old client comes back to a server that starts again', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data })
  const alice = await domain.legacyClient('alice')
  const gone = eventOf(alice, 'disconnect')
  await server.close()
  await gone
  const delivery = alice.deliver('echo', 'queued')
  server.start()
  assert.equal(await within(delivery, 'the answer'), 'queued')
})

test('an old client that connects before there is a server is served once there is one', async t => {
  const domain = new Domain(t)
  const alice = domain.idleLegacyClient('alice')
  const connecting = alice.connect()
  const delivery = alice.deliver('echo', 'queued')
  domain.server({ echo: ({ data }) => data })
  await within(connecting, 'alice to connect')
  assert.equal(await within(delivery, 'the answer'), 'queued')
})

test('an old client that leaves is forgotten, and its name free', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const bob = await domain.client('bob')
  for (let round = 0; round < 10; round++) {
    const gone = eventOf(server, 'disconnection')
    const alice = await domain.legacyClient('alice')
    assert.deepEqual((await bob.discover()).clients, ['bob', 'alice'])
    alice.close()
    await gone
    assert.deepEqual((await bob.discover()).clients, ['bob'])
  }
  await assert.rejects(bob.deliver('alice', 'word', 1), { code: 'ERR_IPC_NO_SUCH_CLIENT' })
})

test('10,000 messages of an old client arrive in their order', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.takeData })
  const alice = await domain.legacyClient('alice')
  const numbers = Array.from({ length: 10_000 }, (_, number) => number + 1)
  for (const number of numbers) alice.send('word', number)
  assert.deepEqual(await inbox.first(numbers.length), numbers)
})

test('a client of 0.6.2 that is connected stays for longer than handshakeTimeout', async t => {
  const domain = new Domain(t)
  const server = domain.server({ word() {} }, { handshakeTimeout: 100 })
  let left = 0
  server.on('disconnection', () => left++)
  await domain.legacyClient('alice')
  await sleep(400)
  assert.equal(left, 0)
})

test('a message of an old client arrives if its data is within the limit, even if its frame is longer', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.takeData }, { maxMessageSize: 65_536 })
  const alice = await domain.legacyClient('alice')
  const text = '"\\'.repeat(15_000)
  alice.send('word', text)
  assert.deepEqual(await inbox.first(1), [text])
})
