'use strict'

/** The memory that a server's process takes from the system, and returns. */

const assert = require('node:assert/strict')
const fs = require('node:fs')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { KIND, RawPeer, frameOf } = require('./support/raw-peer.js')

const MEBIBYTE = 2 ** 20

/** How much more a process may have than before, in MiB, and when at last, in milliseconds. */
const ALLOWED = 30
const WITHIN = 20_000

const skip = !fs.existsSync('/proc/self/status') && 'needs /proc'

async function openServer(t, options) {
  const domain = new Domain(t)
  const child = domain.spawn('measured-server.js', [JSON.stringify(options ?? {})])
  await child.report('started')
  const memory = () => {
    child.process.stdin.write('\n')
    return child.report('memory')
  }
  return { domain, memory }
}

async function settlesBelow(limit, memory) {
  const end = Date.now() + WITHIN
  for (;;) {
    const { now } = await memory()
    if (now <= limit) return
    assert.ok(Date.now() < end, `${Math.round(now)} MiB are left, of at most ${Math.round(limit)}`)
    await sleep(200)
  }
}

test('memory goes back to the system after messages that never ended, and their bytes are bounded', {
  skip,
}, async t => {
  const { domain, memory } = await openServer(t, { unfinishedLimit: 128 * MEBIBYTE })
  const witness = await domain.client('witness')
  await witness.deliver('echo', 1)
  const before = await memory()
  const peers = Array.from({ length: 4 }, () => new RawPeer(domain.path))
  await Promise.all(
    peers.map(async (peer, index) => {
      domain.defer(() => peer.close())
      await peer.handshake(`peer ${index}`)
      const frame = frameOf(KIND.SEND, { flags: 4, command: 'take', payload: Buffer.alloc(60 * MEBIBYTE) })
      peer.write(frame.subarray(0, -1))
      const written = new Promise(resolve => peer.socket.on('drain', resolve))
      await within(Promise.race([written, peer.ended]), 'the server to read it or to end it', 60_000)
    }),
  )
  const { most } = await memory()
  for (const peer of peers) peer.close()
  assert.ok(
    most < before.now + 170,
    `${Math.round(most)} MiB at most, after ${Math.round(before.now)} before`,
  )
  await settlesBelow(before.now + ALLOWED, memory)
  assert.equal(await witness.deliver('echo', 1), 1)
})

test('clients that send more at once than unfinishedLimit are all served, within it', { skip }, async t => {
  const { domain, memory } = await openServer(t, { unfinishedLimit: 256 * MEBIBYTE })
  const clients = await Promise.all(Array.from({ length: 4 }, (_, i) => domain.client(`client ${i}`)))
  const before = await memory()
  const sizes = clients.map(client => client.deliver('take', Buffer.alloc(128 * MEBIBYTE)))
  assert.deepEqual(await within(Promise.all(sizes), 'all to arrive', 60_000), Array(4).fill(128 * MEBIBYTE))
  const { most } = await memory()
  // One message in transit, one in use, and little more.
  const allowed = before.now + 256 + 64
  assert.ok(most < allowed, `${Math.round(most)} MiB at most, ${Math.round(before.now)} before`)
})

test('memory goes back to the system after many messages that waited', { skip }, async t => {
  const { domain, memory } = await openServer(t)
  const client = await domain.client('client')
  await client.deliver('echo', 1)
  const before = await memory()
  const sleeper = new RawPeer(domain.path)
  domain.defer(() => sleeper.close())
  await sleeper.handshake('sleeper')
  sleeper.socket.pause()
  const text = 'x'.repeat(10_000)
  await within(
    Promise.all(Array.from({ length: 10_000 }, () => client.emit('sleeper', 'note', text))),
    'all to be taken',
  )
  const { most } = await memory()
  assert.ok(most > before.now + 80, `nothing waits: ${Math.round(most)} MiB`)
  sleeper.send(KIND.GOODBYE)
  await settlesBelow(before.now + ALLOWED, memory)
})
