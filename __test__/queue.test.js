'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { turns, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const COUNT = 3_000
const numbers = Array.from({ length: COUNT }, (_, number) => number)

test('what is sent before there is a server is sent once there is one', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const alice = domain.idleClient('alice')
  const connecting = alice.connect()
  const sent = [alice.send('word', 1), alice.send('word', 2), alice.deliver('word', 3)]
  await turns(20)
  domain.server({ word: inbox.takeData })
  await within(Promise.all([connecting, ...sent]), 'all promises')
  assert.deepEqual(inbox.all, [1, 2, 3])
})

test('what is sent before connect() is sent once it is called', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.takeData })
  const alice = domain.idleClient('alice')
  const sent = [alice.send('word', 1), alice.send('word', 2), alice.discover()]
  await turns(20)
  assert.deepEqual(inbox.all, [])
  await alice.connect()
  const [, , discovery] = await within(Promise.all(sent), 'all promises')
  assert.deepEqual(inbox.all, [1, 2])
  assert.deepEqual(discovery.clients, ['alice'])
})

test('an emit and a broadcast from the queue go out without another call', async t => {
  const domain = new Domain(t)
  domain.server()
  const inbox = new Inbox()
  await domain.client('bob', { word: inbox.takeData })
  for (const [name, send] of [
    ['emits', client => client.emit('bob', 'word', 'emit')],
    ['broadcasts', client => client.broadcast('word', 'broadcast')],
    ['delivers', client => client.deliver('bob', 'word', 'deliver')],
  ]) {
    const client = domain.idleClient(name)
    const sent = send(client)
    await client.connect()
    await within(sent, name)
  }
  assert.deepEqual(inbox.all.length, 3)
  assert.deepEqual(await inbox.first(3), ['emit', 'broadcast', 'deliver'])
})

for (const when of ['before', 'after']) {
  test(`the server gets messages in the order of the calls, sent ${when} the connection`, async t => {
    const domain = new Domain(t)
    const inbox = new Inbox()
    const alice = domain.idleClient('alice')
    const server = domain.idleServer({ word: inbox.takeData })
    const begin = () => alice.connect(server.start())
    if (when === 'after') await begin()
    const sent = numbers.map(number =>
      number % 2 ? alice.deliver('word', number) : alice.send('word', number),
    )
    if (when === 'before') await begin()
    await within(Promise.all(sent), 'all promises')
    assert.deepEqual(inbox.all, numbers)
  })

  test(`a client gets messages in the order of the calls, sent ${when} the connection`, async t => {
    const domain = new Domain(t)
    const inbox = new Inbox()
    domain.server()
    await domain.client('bob', { word: inbox.takeData })
    const alice = domain.idleClient('alice')
    if (when === 'after') await alice.connect()
    const sent = numbers.map(number => {
      if (number % 3 === 0) return alice.emit('bob', 'word', number)
      if (number % 3 === 1) return alice.broadcast('word', number)
      return alice.deliver('bob', 'word', number)
    })
    if (when === 'before') await alice.connect()
    await within(Promise.all(sent), 'all promises')
    assert.deepEqual(await inbox.first(COUNT), numbers)
  })
}

test('promises of one client resolve in the order of the calls', async t => {
  const domain = new Domain(t)
  domain.server({ word() {} })
  const alice = await domain.client('alice')
  const resolved = []
  await within(
    Promise.all(
      numbers.map(number => {
        const sent = [alice.send, alice.emit, alice.broadcast][number % 3]
        const args = number % 3 === 1 ? ['nobody', 'word'] : ['word']
        return sent.call(alice, ...args).then(() => resolved.push(number))
      }),
    ),
    'all promises',
  )
  assert.deepEqual(resolved, numbers)
})

test('a client gets messages of the server in the order of the calls', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server()
  await domain.client('bob', { word: inbox.takeData })
  for (const number of numbers) {
    if (number % 2) server.emit('bob', 'word', number)
    else server.broadcast('word', number)
  }
  assert.deepEqual(await inbox.first(COUNT), numbers)
})

test('messages from within handlers keep their order too', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server({
    word({ data, name }) {
      server.emit(name, 'word', data)
    },
  })
  const alice = await domain.client('alice', {
    word({ data }) {
      inbox.take(data)
      if (data + 10 < COUNT) alice.send('word', data + 10)
    },
  })
  for (const number of numbers.slice(0, 10)) alice.send('word', number)
  assert.deepEqual(await inbox.first(COUNT), numbers)
})

test('many clients that send at once lose nothing and keep their order', async t => {
  const domain = new Domain(t)
  const got = {}
  domain.server({
    word({ data, name }) {
      got[name] ??= []
      got[name].push(data)
    },
  })
  const names = Array.from({ length: 20 }, (_, index) => `client ${index}`)
  const clients = await Promise.all(names.map(name => domain.client(name)))
  const sent = numbers.slice(0, 500).flatMap(number => clients.map(client => client.send('word', number)))
  await within(Promise.all(sent), 'all promises')
  for (const name of names) assert.deepEqual(got[name], numbers.slice(0, 500))
})
