'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { SHAPES, SIZES, TEXTS, asJson } = require('./support/values.js')

/** All routes of data. Each returns what has arrived. */
async function openRoutes(t, options) {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const word = inbox.takeData
  const echo = ({ data }) => data
  const server = domain.server({ word, echo }, options)
  const alice = await domain.client('alice', { word, echo }, options)
  const bob = await domain.client('bob', { word, echo }, options)
  await bob.send('word', 'ready')
  await inbox.first(1)
  const arrival = async send => {
    const next = inbox.next()
    await send()
    return next
  }
  return {
    inbox,
    server,
    alice,
    routes: {
      'client.send': data => arrival(() => alice.send('word', data)),
      'client.emit': data => arrival(() => alice.emit('bob', 'word', data)),
      'client.broadcast': data => arrival(() => alice.broadcast('word', data)),
      'client.deliver to the server': data => alice.deliver('echo', data),
      'client.deliver to a client': data => alice.deliver('bob', 'echo', data),
      'server.emit': data => arrival(() => server.emit('bob', 'word', data)),
      'server.broadcast': data => arrival(() => server.broadcast('word', data, 'alice')),
    },
  }
}

for (const [kind, values] of Object.entries({ SHAPES, TEXTS, SIZES })) {
  test(`data arrives as JSON gives it: ${kind.toLowerCase()}`, async t => {
    const { routes } = await openRoutes(t)
    for (const [route, pass] of Object.entries(routes)) {
      for (const [what, value] of Object.entries(values)) {
        const arrived = await within(pass(value), `${what} by ${route}`)
        // Compared as text: the order of keys counts, and deep nesting is too much for deepEqual.
        assert.ok(
          JSON.stringify(arrived) === JSON.stringify(asJson(value)),
          `${what} by ${route}: ${JSON.stringify(arrived)?.slice(0, 200)}`,
        )
      }
    }
  })
}

test('what JSON leaves out arrives as null', async t => {
  const { routes } = await openRoutes(t)
  for (const [route, pass] of Object.entries(routes)) {
    for (const value of [undefined, () => {}, Symbol('s'), { toJSON() {} }]) {
      assert.equal(await within(pass(value), route), null, `${String(value)} by ${route}`)
    }
  }
})

test('data arrives as it was when the message was sent, even if it is changed afterwards', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const alice = domain.idleClient('alice')
  const data = { state: 'then' }
  const bytes = Buffer.from('then')
  const sent = [alice.send('word', data), alice.send('word', bytes)]
  data.state = 'now'
  bytes.write('now!')
  domain.server({ word: inbox.takeData })
  await alice.connect()
  await Promise.all(sent)
  assert.deepEqual(await inbox.first(2), [{ state: 'then' }, Buffer.from('then')])
})

test('bytes arrive as a Buffer', async t => {
  const { routes } = await openRoutes(t)
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const doubles = new Float64Array([1.5, -2])
  const bytes = [
    [all, all],
    [all.subarray(7, 99), all.subarray(7, 99)],
    [Buffer.alloc(0), Buffer.alloc(0)],
    [new Uint8Array([1, 2, 3]), Buffer.from([1, 2, 3])],
    [new Uint8Array(all.buffer, all.byteOffset + 3, 5), all.subarray(3, 8)],
    [doubles, Buffer.from(doubles.buffer)],
    [new Uint8Array([9, 8, 7]).buffer, Buffer.from([9, 8, 7])],
    [Buffer.from('{"looks":"like JSON"}'), Buffer.from('{"looks":"like JSON"}')],
    [Buffer.alloc(300_000, 'é'), Buffer.alloc(300_000, 'é')],
  ]
  for (const [route, pass] of Object.entries(routes)) {
    for (const [sent, expected] of bytes) {
      const arrived = await within(pass(sent), `bytes by ${route}`)
      assert.ok(Buffer.isBuffer(arrived), `${route}: ${typeof arrived}`)
      assert.ok(arrived.equals(expected), `${route}: ${arrived.length} of ${expected.length} bytes`)
    }
  }
})

test('large Buffers keep their bytes while the memory of others is released', async t => {
  const domain = new Domain(t)
  const kept = []
  let most = 0
  domain.server({
    take({ data }) {
      if (data[0] < 10) kept.push(data)
      most = Math.max(most, process.memoryUsage().external)
    },
  })
  const alice = await domain.client('alice')
  const before = process.memoryUsage().external
  const load = Buffer.alloc(1 << 20)
  for (let n = 0; n < 600; n++) await alice.deliver('take', load.fill(n))
  assert.equal(kept.length, 30)
  for (const [index, bytes] of kept.entries()) {
    assert.ok(bytes.equals(Buffer.alloc(1 << 20, index % 10)), `Buffer ${index}`)
  }
  assert.ok(most - before < 300 << 20, `${(most - before) >> 20} MB were held at once`)
})

test('large and small messages take turns', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.takeData })
  const alice = await domain.client('alice')
  const sizes = [300_000, 1, 70_000, 100_000, 5_000, 200_000, 3, 3, 66_000, 1_000_000]
  const sent = Array.from({ length: 100 }, (_, n) => Buffer.alloc(sizes[n % sizes.length], n))
  await Promise.all(sent.map(bytes => alice.send('word', bytes)))
  const arrived = await inbox.first(sent.length)
  for (const [index, bytes] of arrived.entries()) assert.ok(bytes.equals(sent[index]), `message ${index}`)
})

test('a string of 100 MB arrives, and comes back', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data })
  const alice = await domain.client('alice')
  const text = '0123456789'.repeat(10_000_000)
  assert.ok((await within(alice.deliver('echo', text), 'the answer', 60_000)) === text)
})

const refusals = {
  'a cycle': () => {
    const cycle = {}
    cycle.self = [cycle]
    return cycle
  },
  'a BigInt': () => ({ count: 1n }),
  'a toJSON that throws': () => ({
    toJSON() {
      throw new RangeError('not today')
    },
  }),
}

for (const [what, make] of Object.entries(refusals)) {
  test(`${what} rejects the promise, with the cause, and the connection goes on`, async t => {
    const { alice, inbox } = await openRoutes(t)
    let cause
    try {
      JSON.stringify(make())
    } catch (error) {
      cause = error
    }
    const seen = inbox.all.length
    for (const send of [
      alice.send('word', make()),
      alice.emit('bob', 'word', make()),
      alice.broadcast('word', make()),
      alice.deliver('word', make()),
      alice.deliver('bob', 'word', make()),
    ]) {
      await assert.rejects(send, error => {
        assert.ok(error instanceof Error)
        assert.equal(error.code, 'ERR_IPC_NOT_SERIALIZABLE')
        assert.deepEqual([error.cause.name, error.cause.message], [cause.name, cause.message])
        return true
      })
    }
    assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
    assert.equal(inbox.all.length, seen)
  })

  test(`${what} as an answer rejects the delivery, and the connection goes on`, async t => {
    const domain = new Domain(t)
    const handlers = { bad: make, worse: async () => make(), echo: ({ data }) => data }
    domain.server(handlers)
    const alice = await domain.client('alice', handlers)
    for (const command of ['bad', 'worse']) {
      await assert.rejects(alice.deliver(command), { code: 'ERR_IPC_NOT_SERIALIZABLE' })
      await assert.rejects(alice.deliver('alice', command, null), { code: 'ERR_IPC_NOT_SERIALIZABLE' })
    }
    assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
  })
}

test('a message above maxMessageSize rejects, and the connection goes on', async t => {
  const { alice, server } = await openRoutes(t, { maxMessageSize: 10_000 })
  const refusal = { name: 'Error', code: 'ERR_IPC_MESSAGE_TOO_LARGE' }
  for (const large of ['x'.repeat(20_000), Buffer.alloc(20_000), '\ud800'.repeat(2_000)]) {
    await assert.rejects(alice.send('word', large), refusal)
    await assert.rejects(alice.emit('bob', 'word', large), refusal)
    await assert.rejects(alice.broadcast('word', large), refusal)
    await assert.rejects(alice.deliver('echo', large), refusal)
    await assert.rejects(alice.deliver('bob', 'echo', large), refusal)
    assert.throws(() => server.emit('bob', 'word', large), refusal)
    assert.throws(() => server.broadcast('word', large), refusal)
  }
  assert.equal(await alice.deliver('echo', 'x'.repeat(9_000)), 'x'.repeat(9_000))
})

test('a message above the default limit of 256 MB rejects', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data })
  const alice = await domain.client('alice')
  const bytes = Buffer.alloc((256 << 20) + 1)
  await assert.rejects(alice.send('echo', bytes), { code: 'ERR_IPC_MESSAGE_TOO_LARGE' })
  assert.equal(await alice.deliver('echo', 1), 1)
})

test('a message above the limit of the server alone rejects, also one from the queue', async t => {
  const domain = new Domain(t)
  const large = 'x'.repeat(20_000)
  const refusal = { code: 'ERR_IPC_MESSAGE_TOO_LARGE' }
  const alice = domain.idleClient('alice')
  const queued = [alice.deliver('echo', large), alice.send('echo', large), alice.deliver('echo', 'small')]
  const settled = Promise.allSettled(queued)
  domain.server({ echo: ({ data }) => data }, { maxMessageSize: 10_000 })
  await alice.connect()
  const [delivery, sent, small] = await within(settled, 'all to settle')
  assert.deepEqual([delivery.reason?.code, sent.reason?.code], [refusal.code, refusal.code])
  assert.equal(small.value, 'small')
  await assert.rejects(alice.send('echo', large), refusal)
  assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
})

test('an answer above the limit rejects the delivery, and the connection goes on', async t => {
  const domain = new Domain(t)
  const handlers = { big: () => 'x'.repeat(20_000), echo: ({ data }) => data }
  domain.server(handlers, { maxMessageSize: 10_000 })
  const alice = await domain.client('alice', handlers)
  const refusal = { code: 'ERR_IPC_MESSAGE_TOO_LARGE' }
  await assert.rejects(alice.deliver('big'), refusal)
  await assert.rejects(alice.deliver('alice', 'big', null), refusal)
  assert.equal(await alice.deliver('echo', 'goes on'), 'goes on')
})

test('a Buffer over memory that other threads may write to is copied', async t => {
  const { routes } = await openRoutes(t)
  const shared = new SharedArrayBuffer(8)
  const bytes = new Uint8Array(shared)
  bytes.set([1, 2, 3, 4, 5, 6, 7, 8])
  for (const [route, pass] of Object.entries(routes)) {
    assert.deepEqual([...(await pass(shared))], [...bytes], route)
    assert.deepEqual([...(await pass(Buffer.from(shared, 2, 4)))], [3, 4, 5, 6], route)
    assert.deepEqual([...(await pass(new Uint16Array(shared, 2, 2)))], [3, 4, 5, 6], route)
  }
})
