'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const TEXT = 'x'.repeat(10_000)

/** A client in another process that does not read. */
async function openStopped(t, options) {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data }, options)
  const child = domain.spawn('client.js', ['slow'])
  await child.report('connected')
  await child.kill('SIGSTOP')
  return { domain, server, child }
}

test('a client that does not read does not delay others', async t => {
  const { domain, server, child } = await openStopped(t)
  const alice = await domain.client('alice')
  const sent = Array.from({ length: 1_000 }, () => alice.emit('slow', 'word', TEXT))
  await within(Promise.all(sent), 'the acknowledgements')
  server.emit('slow', 'word', TEXT)
  assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
  await child.kill('SIGCONT')
  assert.equal(await within(alice.deliver('slow', 'count', null), 'the slow client'), 1_001)
})

test('a client that is far behind gets every broadcast, in order, including the last ones', async t => {
  const { domain, server, child } = await openStopped(t)
  const words = new Inbox()
  await domain.client('fast', { word: words.takeData })
  const count = 10_000
  for (let n = 0; n < count; n++) {
    server.broadcast('word', n)
    if (n % 10 === 0) await new Promise(setImmediate)
  }
  assert.deepEqual(
    await words.first(count),
    Array.from({ length: count }, (_, n) => n),
  )
  await child.kill('SIGCONT')
  const alice = await domain.client('alice')
  assert.equal(await within(alice.deliver('slow', 'count', null), 'the slow client'), count)
})

test('a client for which too much waits is dropped, with an event, and may reconnect', async t => {
  const { domain, server, child } = await openStopped(t, { slowConsumerLimit: 1_000_000 })
  const alice = await domain.client('alice')
  const dropped = eventOf(server, 'dropped')
  const gone = eventOf(server, 'disconnection')
  for (let round = 0; round < 1_000; round++) server.emit('slow', 'word', TEXT)
  const loss = await dropped
  assert.equal(loss.name, 'slow')
  assert.ok(loss.messages > 0, `${loss.messages} messages`)
  assert.ok(loss.bytes >= loss.messages * TEXT.length, `${loss.bytes} bytes`)
  assert.equal((await gone).name, 'slow')
  assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
  const back = eventOf(server, 'connection')
  await child.kill('SIGCONT')
  assert.equal((await back).name, 'slow')
  assert.equal(await within(alice.deliver('slow', 'echo', 'back'), 'the slow client'), 'back')
})
