'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { RawPeer } = require('./support/raw-peer.js')

/** A client that connects and disappears without a goodbye. */
async function vanished(server, domain, name) {
  const peer = new RawPeer(domain.path)
  await within(peer.handshake(name), `${name} to connect`)
  const gone = eventOf(server, 'disconnection')
  peer.socket.destroy()
  await gone
}

test('broadcasts for clients that are away are stored once, and a client that comes back gets them in order', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  for (let n = 0; n < 200; n++) await vanished(server, domain, `client-${n}`)
  const before = process.memoryUsage().rss
  const text = 'x'.repeat(10_000)
  const count = 500
  for (let n = 0; n < count; n++) {
    if (n % 5 === 0) server.emit('client-7', 'word', { n })
    else server.broadcast('word', { n, text })
    if (n % 50 === 0) await new Promise(setImmediate)
  }
  await new Promise(setImmediate)
  // A copy for each would be 800 MB.
  const grown = (process.memoryUsage().rss - before) / 1e6
  assert.ok(grown < 200, `${grown} MB more`)
  const words = new Inbox()
  await domain.client('client-7', { word: words.takeData })
  const found = await words.first(count)
  assert.deepEqual(
    found.map(({ n }) => n),
    Array.from({ length: count }, (_, n) => n),
  )
})

test('above awayLimit a client that is away is dropped, with an event', async t => {
  const domain = new Domain(t)
  const server = domain.server(null, { awayLimit: 100_000 })
  const alice = await domain.client('alice')
  await vanished(server, domain, 'bob')
  const dropped = eventOf(server, 'dropped')
  for (let n = 0; n < 4; n++) server.emit('bob', 'word', 'x'.repeat(30_000))
  const loss = await dropped
  assert.deepEqual([loss.name, loss.messages], ['bob', 4])
  assert.ok(loss.bytes > 120_000)
  assert.equal(alice.isConnected(), true)
})

test('clients that are away make room for those that come', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data }, { maxClients: 5 })
  const alice = await domain.client('alice')
  await vanished(server, domain, 'bob')
  server.emit('bob', 'word', 1)
  const dropped = []
  server.on('dropped', loss => dropped.push(loss.name))
  for (let n = 0; n < 20; n++) await vanished(server, domain, `client-${n}`)
  assert.deepEqual(dropped, [])
  for (const name of ['carol', 'dave', 'eve', 'frank']) {
    const client = await domain.client(name)
    assert.equal(await client.deliver('echo', name), name)
  }
  assert.deepEqual(dropped, ['bob'])
  assert.equal(await alice.deliver('echo', 'still there'), 'still there')
})
