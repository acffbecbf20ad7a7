'use strict'

/** Old and new clients together in one domain, with a server of either kind. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const KINDS = ['old', 'new']
const LARGE = 'x}{"\\é\u2028'.repeat(50_000)

const serverOf = (domain, kind, handlers) =>
  kind === 'old' ? domain.legacyServer(handlers) : domain.server(handlers)

/** A client that the server knows to be connected, too: 0.6.2 loses what it emits before. */
async function clientOf(domain, server, kind, name, handlers) {
  const connected = eventOf(server, 'connection')
  const client = await (kind === 'old' ? domain.legacyClient(name, handlers) : domain.client(name, handlers))
  await connected
  return client
}

const combinations = KINDS.flatMap(server =>
  KINDS.flatMap(sender => KINDS.map(receiver => ({ server, sender, receiver }))),
)

for (const { server, sender, receiver } of combinations) {
  test(`${server} server: ${sender} client to ${receiver} client`, async t => {
    const domain = new Domain(t)
    const inbox = new Inbox()
    const started = await serverOf(domain, server, { echo: ({ data }) => data })
    const from = await clientOf(domain, started, sender, 'from')
    await clientOf(domain, started, receiver, 'to', {
      word: inbox.takeData,
      double: ({ data }) => data * 2,
      later: ({ data }) => new Promise(resolve => setImmediate(resolve, `later ${data}`)),
      echo: ({ data }) => data,
      nothing() {},
    })
    const deliver = (command, data) => within(from.deliver('to', command, data), command)

    assert.equal(await deliver('double', 21), 42)
    assert.equal(await deliver('later', 'x'), 'later x')
    assert.equal(await deliver('nothing', 1), null)
    assert.deepEqual(await deliver('echo', { list: [LARGE, 1] }), { list: [LARGE, 1] })

    await from.emit('to', 'word', 'by emit')
    await from.broadcast('word', LARGE)
    await from.emit('to', 'unheard of', 1)
    await from.emit('to', 'word', { last: true })
    assert.deepEqual(await inbox.first(3), ['by emit', LARGE, { last: true }])

    const numbers = Array.from({ length: 300 }, (_, number) => number + 1)
    const answers = numbers.map(number => deliver('double', number))
    assert.deepEqual(
      await Promise.all(answers),
      numbers.map(number => number * 2),
    )

    assert.deepEqual((await from.discover()).clients, ['from', 'to'])
    assert.equal(await from.deliver('echo', 'to the server'), 'to the server')
  })

  test(`${server} server: ${sender} client to ${receiver} client, unknown command`, async t => {
    const domain = new Domain(t)
    const started = await serverOf(domain, server)
    const from = await clientOf(domain, started, sender, 'from')
    await clientOf(domain, started, receiver, 'to')
    const delivery = within(from.deliver('to', 'unheard of', 1), 'the answer')
    if ([server, sender, receiver].includes('old')) assert.equal(await delivery, null)
    else await assert.rejects(delivery, { code: 'ERR_IPC_NO_SUCH_COMMAND' })
  })
}

for (const receiver of KINDS) {
  test(`new server: a new client learns the sender, ${receiver} clients send`, async t => {
    const domain = new Domain(t)
    const inbox = new Inbox()
    const server = domain.server()
    await domain.client('to', { word: inbox.take })
    const from = await clientOf(domain, server, receiver, 'from')
    await from.emit('to', 'word', 1)
    await from.broadcast('word', 2)
    await from.deliver('to', 'word', 3)
    server.emit('to', 'word', 4)
    const seen = (await inbox.first(4)).map(({ data, from: sender }) => [data, sender])
    assert.deepEqual(seen, [
      [1, 'from'],
      [2, 'from'],
      [3, 'from'],
      [4, ''],
    ])
  })
}

test('new server: a broadcast reaches old and new clients, and never its sender', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const clients = []
  for (const kind of [...KINDS, ...KINDS]) {
    const name = `${kind} ${clients.length}`
    const inbox = new Inbox()
    clients.push({
      name,
      inbox,
      client: await clientOf(domain, server, kind, name, { word: inbox.takeData }),
    })
  }
  for (const { client, name } of clients) {
    const others = clients.filter(other => other.name !== name)
    const before = others.map(({ inbox }) => inbox.all.length)
    await client.broadcast('word', name)
    await Promise.all(others.map(({ inbox }, index) => inbox.first(before[index] + 1)))
  }
  server.broadcast('word', 'the end')
  for (const { name, inbox } of clients) {
    const others = clients.filter(other => other.name !== name).map(other => other.name)
    assert.deepEqual(await inbox.first(4), [...others, 'the end'])
  }
})

test('new server: what an old client that left should have answered rejects', async t => {
  const domain = new Domain(t)
  domain.server()
  const asked = new Inbox()
  const old = await domain.legacyClient('old', {
    never() {
      asked.take()
      return new Promise(() => {})
    },
  })
  const alice = await domain.client('alice')
  const delivery = alice.deliver('old', 'never', 1)
  delivery.catch(() => {})
  await asked.first(1)
  old.close()
  await assert.rejects(within(delivery, 'the rejection'), { code: 'ERR_IPC_CLIENT_LEFT' })
})

test('new server: an old client whose delivery has no receiver, or whose receiver leaves, gets null', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data })
  const old = await domain.legacyClient('old')
  assert.equal(await within(old.deliver('nobody', 'echo', 1), 'the answer'), null)
  const asked = new Inbox()
  const bob = await domain.client(
    'bob',
    {
      never() {
        asked.take()
        return new Promise(() => {})
      },
    },
    { closeTimeout: 20 },
  )
  const delivery = old.deliver('bob', 'never', 1)
  await asked.first(1)
  await bob.close()
  assert.equal(await within(delivery, 'the answer'), null)
  assert.equal(server.isStarted(), true)
})

test('new server: bytes of a new client reach an old one as the JSON of a Buffer', async t => {
  const domain = new Domain(t)
  domain.server()
  const alice = await domain.client('alice')
  await domain.legacyClient('old', { echo: ({ data }) => data })
  const described = { type: 'Buffer', data: [1, 2, 255] }
  assert.deepEqual(await alice.deliver('old', 'echo', Buffer.from([1, 2, 255])), described)
})
