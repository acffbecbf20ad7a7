'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const HANDLERS = {
  echo: ({ data }) => data,
  later: ({ data }) => new Promise(resolve => setImmediate(resolve, { late: data })),
  nothing() {},
  // biome-ignore lint/suspicious/noThenProperty: a promise of another library.
  thenable: ({ data }) => ({ then: resolve => resolve(data) }),
  never: () => new Promise(() => {}),
}

/** A server, alice, and bob; `ask` delivers to the server or to bob. */
async function open(t, handlers = HANDLERS) {
  const domain = new Domain(t)
  // Some handlers never end, so close() must not wait for them.
  const options = { closeTimeout: 100 }
  const server = domain.server(handlers, options)
  const alice = await domain.client('alice', handlers, options)
  const bob = await domain.client('bob', handlers, options)
  const targets = {
    'the server': (command, data, options) => alice.deliver(null, command, data, options),
    'a client': (command, data, options) => alice.deliver('bob', command, data, options),
    itself: (command, data, options) => alice.deliver('alice', command, data, options),
  }
  return { domain, server, alice, bob, targets }
}

test('a delivery resolves to what the handler returns, or to what its promise resolves to', async t => {
  const { targets } = await open(t)
  for (const [target, ask] of Object.entries(targets)) {
    assert.deepEqual(await within(ask('echo', { a: [1] }), target), { a: [1] })
    assert.deepEqual(await within(ask('later', 5), target), { late: 5 })
    assert.deepEqual(await within(ask('thenable', 6), target), 6)
    assert.equal(await within(ask('nothing'), target), null)
  }
})

test('falsy answers arrive as they are', async t => {
  const { targets } = await open(t)
  for (const ask of Object.values(targets)) {
    for (const value of [0, false, '', null]) assert.equal(await ask('echo', value), value)
  }
})

test('deliver() goes to the server where the name is left out or null', async t => {
  const domain = new Domain(t)
  domain.server({ which: ({ data }) => `server ${data}` })
  const alice = await domain.client('alice', { which: ({ data }) => `client ${data}` })
  assert.equal(await alice.deliver('which', 1), 'server 1')
  assert.equal(await alice.deliver('which'), 'server null')
  assert.equal(await alice.deliver(null, 'which', 2), 'server 2')
  assert.equal(await alice.deliver(undefined, 'which', 3), 'server 3')
  assert.equal(await alice.deliver(null, 'which', 4, { timeout: 60_000 }), 'server 4')
  assert.equal(await alice.deliver('alice', 'which', 5), 'client 5')
})

test('two clients deliver to each other at the same time, also from within handlers', async t => {
  const domain = new Domain(t)
  domain.server({ half: ({ data }) => data / 2 })
  const countdown =
    (own, other) =>
    async ({ data }) =>
      data === 0 ? [own()] : [own(), ...(await own.client.deliver(other, 'down', data - 1))]
  const names = ['alice', 'bob']
  const own = names.map(name => Object.assign(() => name, { client: null }))
  own[0].client = await domain.client('alice', { down: countdown(own[0], 'bob') })
  own[1].client = await domain.client('bob', { down: countdown(own[1], 'alice') })
  const chain = await within(own[0].client.deliver('bob', 'down', 9), 'the chain')
  assert.deepEqual(
    chain,
    Array.from({ length: 10 }, (_, index) => names[(index + 1) % 2]),
  )
})

test('answers reach their deliveries in any order', async t => {
  const waiting = []
  const { targets } = await open(t, {
    wait: ({ data }) => new Promise(resolve => waiting.push(() => resolve(data))),
    release() {
      for (const answer of waiting.splice(0).reverse()) answer()
    },
  })
  for (const [target, ask] of Object.entries(targets)) {
    const asked = Array.from({ length: 100 }, (_, number) => ask('wait', number))
    await ask('release')
    const answers = await within(Promise.all(asked), target)
    assert.deepEqual(
      answers,
      answers.map((_, index) => index),
    )
  }
})

test('100,000 deliveries at once are all answered, each with its own answer', async t => {
  const { alice } = await open(t)
  const count = 100_000
  const asked = Array.from({ length: count }, (_, number) => alice.deliver('echo', number))
  const answers = await within(Promise.all(asked), 'the answers', 60_000)
  assert.equal(answers.length, count)
  assert.ok(answers.every((answer, index) => answer === index))
})

test('20,000 deliveries at once to another client are all answered', async t => {
  const { alice } = await open(t)
  const asked = Array.from({ length: 20_000 }, (_, number) => alice.deliver('bob', 'later', number))
  const answers = await within(Promise.all(asked), 'the answers', 60_000)
  assert.ok(answers.every((answer, index) => answer.late === index))
})

test('the error that a handler throws or rejects with reaches the caller', async t => {
  const failures = {
    plain: () => new Error('no code'),
    coded: () => Object.assign(new RangeError('with code'), { code: 'ENOENT' }),
    named: () => Object.assign(new Error('named'), { name: 'SpecialError', code: 'E_SPECIAL' }),
    relayed: () => Object.assign(new Error('of another delivery'), { code: 'ERR_IPC_NO_SUCH_CLIENT' }),
    odd: () => Object.assign(new Error('a}{b \u2028 💥'), { code: 42 }),
  }
  const expected = {
    plain: { name: 'Error', message: 'no code', code: 'ERR_IPC_HANDLER_THREW' },
    coded: { name: 'RangeError', message: 'with code', code: 'ENOENT' },
    named: { name: 'SpecialError', message: 'named', code: 'E_SPECIAL' },
    relayed: { name: 'Error', message: 'of another delivery', code: 'ERR_IPC_NO_SUCH_CLIENT' },
    odd: { name: 'Error', message: 'a}{b \u2028 💥' },
  }
  const { targets } = await open(t, {
    throw({ data }) {
      throw failures[data]()
    },
    reject: ({ data }) => Promise.reject(failures[data]()),
    echo: HANDLERS.echo,
  })
  for (const ask of Object.values(targets)) {
    for (const command of ['throw', 'reject']) {
      for (const kind of Object.keys(failures)) {
        await assert.rejects(within(ask(command, kind), kind), error => {
          assert.ok(error instanceof Error)
          const { name, message, code } = error
          assert.equal(error.remote, true)
          assert.deepEqual({ name, message, code, ...expected[kind] }, { name, message, code })
          return true
        })
      }
    }
    assert.equal(await ask('echo', 'goes on'), 'goes on')
  }
})

test('a handler may throw something that is not an Error', async t => {
  const { targets } = await open(t, {
    throw({ data }) {
      throw data
    },
    reject: ({ data }) => Promise.reject(data),
    bigint() {
      throw 1n
    },
  })
  for (const ask of Object.values(targets)) {
    for (const command of ['throw', 'reject']) {
      for (const thrown of ['only text', 7, null, { plain: 'object' }]) {
        await assert.rejects(within(ask(command, thrown), command), error => {
          assert.ok(error instanceof Error)
          assert.deepEqual([error.remote, error.code], [true, 'ERR_IPC_HANDLER_THREW'])
          if (typeof thrown === 'string') assert.match(error.message, /only text/)
          return true
        })
      }
    }
    await assert.rejects(within(ask('bigint'), 'bigint'), { remote: true, code: 'ERR_IPC_HANDLER_THREW' })
  }
})

test('a delivery to a client that is not there rejects', async t => {
  const { alice } = await open(t)
  const refusal = { name: 'Error', code: 'ERR_IPC_NO_SUCH_CLIENT' }
  await assert.rejects(within(alice.deliver('nobody', 'echo', 1), 'the rejection'), error => {
    assert.match(error.message, /nobody/)
    assert.notEqual(error.remote, true)
    return error.code === refusal.code
  })
})

test('a delivery to a client that has left rejects as for an unknown name', async t => {
  const { server, alice, bob } = await open(t)
  const gone = eventOf(server, 'disconnection')
  await bob.close()
  await gone
  await assert.rejects(within(alice.deliver('bob', 'echo', 1), 'the rejection'), {
    code: 'ERR_IPC_NO_SUCH_CLIENT',
  })
})

test('a delivery of a command without a handler rejects', async t => {
  const { targets } = await open(t)
  for (const [target, ask] of Object.entries(targets)) {
    await assert.rejects(within(ask('unheard of', 1), target), error => {
      assert.match(error.message, /unheard of/)
      return error.code === 'ERR_IPC_NO_SUCH_COMMAND'
    })
  }
})

test('a delivery rejects when its target leaves before it has answered', async t => {
  const domain = new Domain(t)
  domain.server()
  const alice = await domain.client('alice')
  const asked = new Inbox()
  const bob = await domain.client(
    'bob',
    {
      never() {
        asked.take()
        return new Promise(() => {})
      },
    },
    { closeTimeout: 50 },
  )
  const delivery = alice.deliver('bob', 'never', 1)
  delivery.catch(() => {})
  await asked.first(1)
  await bob.close()
  await assert.rejects(within(delivery, 'the rejection'), { code: 'ERR_IPC_CLIENT_LEFT' })
})

test('a delivery rejects when it times out, and a late answer is ignored', async t => {
  const waiting = []
  const { targets } = await open(t, {
    wait: ({ data }) => new Promise(resolve => waiting.push(() => resolve(data))),
    release() {
      for (const answer of waiting.splice(0)) answer()
    },
    echo: HANDLERS.echo,
  })
  for (const [target, ask] of Object.entries(targets)) {
    await assert.rejects(within(ask('wait', 1, { timeout: 20 }), target), {
      name: 'Error',
      code: 'ERR_IPC_TIMEOUT',
    })
    await ask('release')
    assert.equal(await ask('echo', 'goes on', { timeout: 60_000 }), 'goes on')
  }
})

test('the time limit of a delivery runs also without a server', async t => {
  const alice = new Domain(t).idleClient('alice')
  const connecting = alice.connect().catch(error => error)
  const delivery = alice.deliver(null, 'echo', 1, { timeout: 20 })
  await assert.rejects(within(delivery, 'the rejection'), { code: 'ERR_IPC_TIMEOUT' })
  await alice.close()
  assert.equal((await connecting).code, 'ERR_IPC_CLOSED')
})

test('a delivery that timed out before the connection is not sent', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const alice = domain.idleClient('alice')
  const late = alice.deliver(null, 'word', 'late', { timeout: 10 })
  await assert.rejects(within(late, 'the rejection'), { code: 'ERR_IPC_TIMEOUT' })
  domain.server({ word: inbox.takeData })
  await alice.connect()
  await alice.deliver('word', 'in time')
  assert.deepEqual(inbox.all, ['in time'])
})

test('a delivery rejects with the reason of its signal', async t => {
  const { targets } = await open(t)
  for (const [target, ask] of Object.entries(targets)) {
    const controller = new AbortController()
    const delivery = ask('never', 1, { signal: controller.signal })
    setImmediate(() => controller.abort())
    await assert.rejects(within(delivery, target), { name: 'AbortError' })
    const reason = new Error('I changed my mind')
    const second = new AbortController()
    const other = ask('never', 1, { signal: second.signal })
    second.abort(reason)
    await assert.rejects(within(other, target), error => error === reason)
    const early = ask('never', 1, { signal: AbortSignal.abort(reason) })
    await assert.rejects(within(early, target), error => error === reason)
    assert.equal(await ask('echo', 1, { signal: new AbortController().signal }), 1)
  }
})

test('a delivery whose signal is already aborted is not sent', async t => {
  const inbox = new Inbox()
  const { alice } = await open(t, { word: inbox.takeData })
  await assert.rejects(alice.deliver(null, 'word', 'aborted', { signal: AbortSignal.abort() }))
  await alice.deliver('word', 'the end')
  assert.deepEqual(inbox.all, ['the end'])
})

test('a delivery rejects when its own client is closed', async t => {
  const { alice, targets } = await open(t)
  const asked = Object.values(targets).map(ask => ask('never', 1))
  const settled = Promise.allSettled(asked)
  await alice.close()
  const codes = (await within(settled, 'the rejections')).map(({ reason }) => reason?.code)
  assert.deepEqual(codes, Array(3).fill('ERR_IPC_CLOSED'))
})

test('a handler is called once for each delivery', async t => {
  const inbox = new Inbox()
  const { alice } = await open(t, { word: inbox.takeData })
  const numbers = Array.from({ length: 1000 }, (_, number) => number)
  await Promise.all(numbers.map(number => alice.deliver('word', number)))
  assert.deepEqual(inbox.all, numbers)
})
