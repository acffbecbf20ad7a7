'use strict'

/** Messages that have begun to arrive and are not complete: `unfinishedLimit`. */

const assert = require('node:assert/strict')
const { once } = require('node:events')
const test = require('node:test')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { KIND, RawPeer, frameOf } = require('./support/raw-peer.js')

const MEBIBYTE = 2 ** 20

const handlers = inbox => ({
  take: ({ data, from }) => inbox.take([from, data.length]),
  echo: ({ data }) => data,
})

/** A peer that has sent all but `missing` bytes of a message. */
async function unfinishedPeer(domain, name, size, missing) {
  const peer = new RawPeer(domain.path)
  domain.defer(() => peer.close())
  await peer.handshake(name)
  const frame = frameOf(KIND.SEND, { flags: 4, command: 'take', payload: Buffer.alloc(size) })
  peer.write(frame.subarray(0, frame.length - missing))
  peer.finish = () => peer.write(frame.subarray(frame.length - missing))
  return peer
}

/** Everything that was written has been read by the server, or is in the socket. */
const written = ({ socket }) => (socket.writableLength === 0 ? undefined : once(socket, 'drain'))

for (const unfinishedLimit of [0, 3 * MEBIBYTE]) {
  test(`large messages beyond a limit of ${unfinishedLimit} arrive complete from any sender`, async t => {
    const domain = new Domain(t)
    const inbox = new Inbox()
    const server = domain.server(handlers(inbox), { unfinishedLimit })
    server.on('disconnection', ({ name }) => assert.fail(`${name} has lost its connection`))
    const clients = await Promise.all(Array.from({ length: 8 }, (_, i) => domain.client(`client ${i}`)))
    const old = await domain.legacyClient('old')
    old.send('take', 'x'.repeat(MEBIBYTE))
    const sent = clients.map(client => client.send('take', Buffer.alloc(4 * MEBIBYTE)))
    await within(Promise.all(sent), 'all to arrive')
    const got = await inbox.first(9)
    assert.deepEqual(
      got.map(([from, size]) => `${from} ${size}`).sort(),
      [...clients.map(({ name }) => `${name} ${4 * MEBIBYTE}`), `old ${MEBIBYTE}`].sort(),
    )
    server.removeAllListeners('disconnection')
  })
}

test('the messages nearest to completion are read, and the others wait in their sockets', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server(handlers(inbox), { unfinishedLimit: 6 * MEBIBYTE })
  const near = await unfinishedPeer(domain, 'near', 4 * MEBIBYTE, MEBIBYTE)
  await written(near)
  const far = await unfinishedPeer(domain, 'far', 16 * MEBIBYTE, 0)
  const alice = await domain.client('alice')
  // Small ones do not wait.
  for (let i = 0; i < 100; i++) assert.equal(await alice.deliver('echo', i), i)
  assert.ok(far.socket.writableLength > 0, 'the server has read it all')
  near.finish()
  assert.deepEqual(await inbox.first(2), [
    ['near', 4 * MEBIBYTE],
    ['far', 16 * MEBIBYTE],
  ])
})

test('a peer that does not continue a message while others wait loses the connection, and may reconnect', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server(handlers(inbox), { unfinishedLimit: 2 * MEBIBYTE })
  const slow = await unfinishedPeer(domain, 'slow', 4 * MEBIBYTE, 1)
  await written(slow)
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('echo', 1), 1)
  const gone = eventOf(server, 'disconnection')
  await within(alice.send('take', Buffer.alloc(8 * MEBIBYTE)), 'the message of alice to arrive')
  assert.equal((await gone).name, 'slow')
  await slow.end()
  assert.deepEqual(await inbox.first(1), [['alice', 8 * MEBIBYTE]])
  const back = new RawPeer(domain.path)
  domain.defer(() => back.close())
  const welcome = await back.handshake('slow', { session: slow.session, attempt: 2 })
  assert.equal(welcome.command, 'handshake')
})

test('the end of a peer that waits is noticed', async t => {
  const domain = new Domain(t)
  const server = domain.server(handlers(new Inbox()), { unfinishedLimit: 2 * MEBIBYTE })
  const near = await unfinishedPeer(domain, 'near', 4 * MEBIBYTE, 1)
  await written(near)
  const far = await unfinishedPeer(domain, 'far', 16 * MEBIBYTE, 0)
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('echo', 1), 1)
  const gone = eventOf(server, 'disconnection')
  far.close()
  assert.equal((await gone).name, 'far')
  assert.ok(!near.closed)
})
