'use strict'

/** What a server asks its clients, and what it knows of them. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { eventOf, until, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { KIND, RawPeer } = require('./support/raw-peer.js')

const HANDLERS = {
  echo: ({ data }) => data,
  later: ({ data }) => new Promise(resolve => setImmediate(resolve, { late: data })),
  nothing() {},
  never: () => new Promise(() => {}),
}

/** A server, and bob. */
async function open(t, handlers = HANDLERS, options = {}) {
  const domain = new Domain(t)
  const server = domain.server({}, { closeTimeout: 100, ...options })
  // Some handlers never end, and bob does not wait for them.
  const bob = await domain.client('bob', handlers, { closeTimeout: 100 })
  return { domain, server, bob, ask: (...args) => within(server.deliver('bob', ...args), args[0]) }
}

test('a server gets what the handler of a client returns, or what its promise resolves to', async t => {
  const { ask } = await open(t)
  assert.deepEqual(await ask('echo', { a: [1] }), { a: [1] })
  assert.deepEqual(await ask('later', 5), { late: 5 })
  assert.equal(await ask('nothing'), null)
  assert.equal(await ask('echo'), null)
  for (const value of [0, false, '', null, 'ž\u2028💥']) assert.equal(await ask('echo', value), value)
  assert.deepEqual(await ask('echo', Buffer.from([1, 255])), Buffer.from([1, 255]))
  const large = { text: 'x}{"\\é'.repeat(100_000) }
  assert.deepEqual(await ask('echo', large), large)
})

test('the handler is asked by nobody else than the server', async t => {
  const inbox = new Inbox()
  const { ask, bob } = await open(t, { word: inbox.take })
  await ask('word', 1)
  const [{ from, name, command, redelivered, server, peer }] = inbox.all
  assert.deepEqual(
    [from, name, command, redelivered, server, peer],
    ['', bob.name, 'word', false, null, null],
  )
})

test('10,000 deliveries of a server at once are answered, each with its own answer', async t => {
  const { server } = await open(t)
  const numbers = Array.from({ length: 10_000 }, (_, number) => number)
  const answers = numbers.map(number => server.deliver('bob', number % 3 ? 'echo' : 'later', number))
  const answered = await within(Promise.all(answers), 'the answers', 60_000)
  assert.deepEqual(
    answered,
    numbers.map(number => (number % 3 ? number : { late: number })),
  )
})

test('server and client ask each other, also from within handlers', async t => {
  const domain = new Domain(t)
  const server = domain.server({
    down: async ({ data, name }) =>
      data === 0 ? [] : ['server', ...(await server.deliver(name, 'down', data - 1))],
  })
  const bob = await domain.client('bob', {
    down: async ({ data }) => (data === 0 ? [] : ['bob', ...(await bob.deliver('down', data - 1))]),
  })
  assert.deepEqual(await within(bob.deliver('down', 4), 'the chain'), ['server', 'bob', 'server', 'bob'])
})

test('what the handler throws rejects the delivery of the server', async t => {
  const { ask } = await open(t, {
    fail({ data }) {
      throw Object.assign(new RangeError('too far'), data)
    },
  })
  const expected = { name: 'RangeError', message: 'too far', remote: true }
  await assert.rejects(ask('fail', { code: 'E_FAR' }), { ...expected, code: 'E_FAR' })
  await assert.rejects(ask('fail', {}), { ...expected, code: 'ERR_IPC_HANDLER_THREW' })
})

test('a delivery of a server that can have no answer rejects with a code that says why', async t => {
  const { server, ask } = await open(t, HANDLERS, { maxMessageSize: 1000, maxDeliveries: 2 })
  const code = text => ({ code: `ERR_IPC_${text}` })
  await assert.rejects(ask('unheard of'), code('NO_SUCH_COMMAND'))
  await assert.rejects(server.deliver('nobody', 'echo', 1), code('NO_SUCH_CLIENT'))
  await assert.rejects(ask('handshake'), code('RESTRICTED_COMMAND'))
  await assert.rejects(ask('echo', 'x'.repeat(1000)), code('MESSAGE_TOO_LARGE'))
  await assert.rejects(ask('echo', 1n), code('NOT_SERIALIZABLE'))
  for (const [name, command, options] of [
    [null, 'echo'],
    [undefined, 'echo'],
    [5, 'echo'],
    ['bob', undefined],
    ['bob', 7],
    ['bob', 'echo', { timeout: '1 s' }],
    ['bob', 'echo', { timeout: -1 }],
    ['bob', 'echo', { signal: {} }],
  ]) {
    await assert.rejects(server.deliver(name, command, 1, options), code('INVALID_ARGUMENT'))
  }
  const { signal } = new AbortController()
  const waiting = [ask('never', 1, { timeout: 200, signal }), ask('never', 2, { timeout: 200 })]
  await assert.rejects(ask('echo', 3), code('TOO_MANY_DELIVERIES'))
  for (const delivery of waiting) await assert.rejects(delivery, code('TIMEOUT'))
  assert.equal(await ask('echo', 4), 4)
})

test('a server that is not started asks nobody', async t => {
  const domain = new Domain(t)
  const server = domain.idleServer()
  await assert.rejects(server.deliver('bob', 'echo', 1), { code: 'ERR_IPC_CLOSED' })
  assert.deepEqual(server.clients(), [])
})

test('the time of a delivery of a server is limited, and a late answer does no harm', async t => {
  const waiting = []
  const { ask } = await open(t, {
    ...HANDLERS,
    wait: ({ data }) => new Promise(resolve => waiting.push(() => resolve(data))),
  })
  await assert.rejects(ask('wait', 1, { timeout: 20 }), {
    name: 'Error',
    code: 'ERR_IPC_TIMEOUT',
    message: /wait/,
  })
  for (const answer of waiting.splice(0)) answer()
  assert.equal(await ask('echo', 'goes on', { timeout: 60_000 }), 'goes on')
})

test('a delivery of a server rejects with the reason of its signal', async t => {
  const { ask } = await open(t)
  const controller = new AbortController()
  const delivery = ask('never', 1, { signal: controller.signal })
  setImmediate(() => controller.abort())
  await assert.rejects(delivery, { name: 'AbortError' })
  const reason = new Error('I changed my mind')
  await assert.rejects(ask('never', 1, { signal: AbortSignal.abort(reason) }), error => error === reason)
  assert.equal(await ask('echo', 1, { signal: new AbortController().signal }), 1)
})

test('a delivery of a server rejects when the client leaves before it has answered', async t => {
  const { server, bob } = await open(t)
  const delivery = server.deliver('bob', 'never', 1)
  delivery.catch(() => {})
  await server.deliver('bob', 'echo')
  await bob.close()
  await assert.rejects(within(delivery, 'the rejection'), { code: 'ERR_IPC_CLIENT_LEFT' })
  await assert.rejects(server.deliver('bob', 'echo'), { code: 'ERR_IPC_NO_SUCH_CLIENT' })
})

test('a client whose connection was lost is asked when it is back', async t => {
  const domain = new Domain(t)
  const server = domain.server({ leave: ({ socket }) => socket.destroy() })
  const inbox = new Inbox()
  const bob = await domain.client('bob', { word: inbox.takeData, ...HANDLERS })
  const gone = eventOf(server, 'disconnection')
  await bob.send('leave')
  await gone
  const answers = [1, 2, 3].map(number => server.deliver('bob', 'echo', number))
  assert.deepEqual(await within(Promise.all(answers), 'the answers'), [1, 2, 3])
})

test('a server that closes waits for answers, and rejects what is left', async t => {
  const { server, ask } = await open(t)
  const slow = ask('later', 1)
  const never = server.deliver('bob', 'never', 1)
  never.catch(() => {})
  const closed = server.close()
  await assert.rejects(server.deliver('bob', 'echo', 1), { code: 'ERR_IPC_CLOSED' })
  assert.deepEqual(await slow, { late: 1 })
  await assert.rejects(within(never, 'the rejection'), { code: 'ERR_IPC_CLOSED' })
  await within(closed, 'the server to close')
})

test('a client of 0.6.2 is asked, and answers null where it has no handler', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  await domain.legacyClient('old', { double: ({ data }) => data * 2 })
  await domain.client('new', { double: ({ data }) => data * 2 })
  const numbers = Array.from({ length: 300 }, (_, number) => number)
  const answers = numbers.map(number => server.deliver(number % 2 ? 'old' : 'new', 'double', number))
  assert.deepEqual(
    await within(Promise.all(answers), 'the answers'),
    numbers.map(number => number * 2),
  )
  assert.equal(await within(server.deliver('old', 'unheard of', 1), 'the answer'), null)
  const late = server.deliver('old', 'unheard of', 1, { signal: AbortSignal.abort() })
  await assert.rejects(late, { name: 'AbortError' })
})

for (const version of [2, 3]) {
  test(`a client of protocol ${version} is asked, and nobody answers in its place`, async t => {
    const domain = new Domain(t)
    const server = domain.server()
    const [asked, other] = await Promise.all(
      ['asked', 'other'].map(async name => {
        const peer = new RawPeer(domain.path)
        domain.defer(() => peer.close())
        await peer.handshake(name, { version })
        return peer
      }),
    )
    const answer = server.deliver('asked', 'ask', { a: 1 })
    const [{ kind, id, name, command, payload }] = await asked.frames.first(1)
    assert.deepEqual([kind, name, command, String(payload)], [KIND.REQUEST, '', 'ask', '{"a":1}'])
    other.send(KIND.RESPONSE, { id, payload: '"forged"' })
    other.send(KIND.FAILURE, { id, payload: '{}' })
    other.send(KIND.DISCOVER, { id: 1 })
    // The server has dealt with them when it answers.
    await other.frames.first(1)
    asked.send(KIND.RESPONSE, { id, payload: '"mine"' })
    assert.equal(await within(answer, 'the answer'), 'mine')
  })
}

test('clients() lists who is connected, and what waits for them', async t => {
  const domain = new Domain(t)
  const server = domain.server({}, { resumeTimeout: 60_000 })
  const before = Date.now()
  const alice = await domain.client('alice')
  const child = domain.spawn('client.js', ['bob'])
  await child.report('connected')
  await domain.legacyClient('old')
  const listed = server.clients()
  assert.deepEqual(
    listed.map(({ name, away, pid }) => [name, away, pid]),
    [
      ['alice', false, process.pid],
      ['bob', false, child.pid],
      ['old', false, process.pid],
    ],
  )
  assert.equal(listed[0].uuid, alice.uuid)
  for (const { uid, gid, since } of listed) {
    assert.deepEqual([uid, gid], [process.getuid(), process.getgid()])
    assert.ok(since instanceof Date && since.getTime() >= before - 1000 && since.getTime() <= Date.now())
  }
  await until(() => server.clients().every(({ queued }) => queued.messages === 0), 'nothing waits')

  const gone = eventOf(server, 'disconnection')
  await child.kill()
  await gone
  server.emit('bob', 'word', 1).broadcast('word', 2)
  const { away, queued, pid } = server.clients()[1]
  assert.deepEqual([away, queued.messages, pid], [true, 2, child.pid])
  assert.ok(queued.bytes > 0)
})

test('a handler learns of its command, and on a server of the process behind the message', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ one: inbox.take, two: inbox.take })
  const clients = [await domain.client('alice'), await domain.legacyClient('old')]
  for (const client of clients) {
    await client.send('one')
    await client.send('two')
  }
  const expected = { pid: process.pid, uid: process.getuid(), gid: process.getgid() }
  const containers = await inbox.first(4)
  for (const { peer } of containers) {
    assert.deepEqual(peer, expected)
    assert.ok(Object.isFrozen(peer))
  }
  assert.deepEqual(containers.map(({ command }) => command).sort(), ['one', 'one', 'two', 'two'])
  assert.deepEqual({ ...containers[0] }.peer, expected)
})

test('the process of a message is that of its connection, also when another one has the name now', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server({ word: inbox.take })
  const alice = await domain.client('bob')
  await alice.send('word')
  await alice.close()
  const connected = eventOf(server, 'connection')
  const child = domain.spawn('client.js', ['bob'])
  await connected
  await sleep(1)
  const [container] = inbox.all
  assert.equal(container.peer.pid, process.pid)
  assert.equal(server.clients().find(({ name }) => name === 'bob').pid, child.pid)
})
