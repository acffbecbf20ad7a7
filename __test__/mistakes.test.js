'use strict'

/** A fault in one handler's result, error or listener affects only that call. */

const assert = require('node:assert/strict')
const { EventEmitter } = require('node:events')
const test = require('node:test')
const vm = require('node:vm')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const run = code => vm.runInNewContext(code)

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function fail() {
  throw new Error('odd')
}

const failing = key => Object.defineProperty({}, key, { get: fail })

/** Handlers that fail in ways that must not harm their caller. */
const ODD = {
  thenFails: () => failing('then'),
  resultRevoked: () => revoked(),
  throwsRevoked: () => {
    throw revoked()
  },
  throwsFailingMessage: () => {
    throw failing('message')
  },
  throwsFailingCode: () => {
    throw Object.assign(failing('code'), { message: 'odd' })
  },
  throwsSymbol: () => {
    throw Symbol('odd')
  },
  throwsBare: () => {
    throw Object.create(null)
  },
  throwsNothing: () => {
    throw undefined
  },
  rejectsRevoked: async () => {
    throw revoked()
  },
  rejectsFailingCause: async () => {
    throw Object.defineProperty(new Error('odd'), 'cause', { get: fail })
  },
  thenThrows: () => ({
    // biome-ignore lint/suspicious/noThenProperty: a handler may return anything.
    then() {
      throw new Error('odd')
    },
  }),
  promiseWithOddThen: () =>
    Object.defineProperty(Promise.reject(new Error('odd')), 'then', {
      value: fail,
    }),
}

const side = { server: 'the server', client: 'a client' }

for (const [kind, who] of Object.entries(side)) {
  test(`a result or an error of ${who} that can't be read fails its own delivery alone`, async t => {
    const domain = new Domain(t)
    const handlers = { ...ODD, good: ({ data }) => data }
    domain.server(handlers)
    const asker = await domain.client('asker')
    await domain.client('answers', handlers)
    const target = kind === 'server' ? null : 'answers'
    for (const command of Object.keys(ODD)) {
      const odd = within(asker.deliver(target, command, null), command)
      const others = [1, 2, 3].map(data => asker.deliver(target, 'good', data))
      await assert.rejects(odd, { name: /./, code: 'ERR_IPC_HANDLER_THREW', remote: true }, command)
      assert.deepEqual(await within(Promise.all(others), `the deliveries after ${command}`), [1, 2, 3])
    }
  })

  test(`an error of ${who} that no sender waits for is emitted, and the messages after it are handled`, async t => {
    const domain = new Domain(t)
    const inbox = new Inbox()
    const errors = new Inbox()
    const handlers = { ...ODD, good: inbox.takeData }
    const server = domain.server(handlers)
    const sender = await domain.client('sender')
    const receiver = await domain.client('receiver', handlers)
    const emitter = kind === 'server' ? server : receiver
    emitter.on('error', errors.take)
    const say = (command, data) =>
      kind === 'server' ? sender.send(command, data) : sender.emit('receiver', command, data)
    let count = 0
    for (const command of Object.keys(ODD)) {
      say(command, null)
      await within(say('good', ++count), `the message behind ${command}`)
      await inbox.first(count)
      await errors.first(count)
    }
    assert.equal(inbox.all.length, count)
    for (const error of errors.all) assert.equal(typeof error, 'object')
  })
}

test('the known properties of an error are sent, and no others', async t => {
  const domain = new Domain(t)
  const throwing = error => () => {
    throw error
  }
  const inner = Object.assign(new RangeError('inner'), { code: 'E_INNER' })
  domain.server({
    numbered: throwing(Object.assign(new Error('no such row'), { code: 5, password: 'secret' })),
    http: throwing(Object.assign(new Error('not found'), { status: 404, statusCode: 404 })),
    caused: throwing(new Error('outer', { cause: inner })),
    several: throwing(new AggregateError([new Error('one'), new TypeError('two')], 'both')),
    system: () => require('node:fs').readFileSync('/nothing/here'),
    circular: throwing(Object.assign(new Error('around'), { code: '' })),
    long: throwing(new Error('x'.repeat(1_000_000))),
    foreign: throwing(run('Object.assign(new TypeError("from elsewhere"), { code: "E_ELSEWHERE" })')),
  })
  const client = await domain.client('client')
  const failure = command => client.deliver(command).then(assert.fail, error => error)

  const numbered = await failure('numbered')
  assert.equal(numbered.code, 5)
  assert.equal('password' in numbered, false)
  const http = await failure('http')
  assert.deepEqual([http.status, http.statusCode, http.code], [404, 404, 'ERR_IPC_HANDLER_THREW'])
  const { cause } = await failure('caused')
  assert.deepEqual(
    [cause.name, cause.message, cause.code, cause instanceof Error],
    ['RangeError', 'inner', 'E_INNER', true],
  )
  const several = await failure('several')
  assert.deepEqual(
    [several.name, ...several.errors.map(error => `${error}`)],
    ['AggregateError', 'Error: one', 'TypeError: two'],
  )
  const system = await failure('system')
  assert.deepEqual(
    [system.code, system.errno, system.syscall, system.path],
    ['ENOENT', -2, 'open', '/nothing/here'],
  )
  assert.equal((await failure('long')).message.length, 65_537)
  const foreign = await failure('foreign')
  assert.deepEqual(
    [foreign.name, foreign.message, foreign.code],
    ['TypeError', 'from elsewhere', 'E_ELSEWHERE'],
  )
})

test('a circular cause is cut off where any chain of causes is', async t => {
  const domain = new Domain(t)
  const around = new Error('around')
  around.cause = around
  domain.server({
    around: () => {
      throw around
    },
  })
  const client = await domain.client('client')
  const error = await client.deliver('around').then(assert.fail, error => error)
  let depth = 0
  for (let each = error; each !== undefined; each = each.cause) depth++
  assert.equal(depth, 4)
})

test('bytes, errors and promises of another realm are recognized', async t => {
  const domain = new Domain(t)
  const server = domain.server({
    size: ({ data }) => (Buffer.isBuffer(data) ? data.length : JSON.stringify(data)),
    promised: run('async () => 42'),
    bytes: () => run('new ArrayBuffer(4)'),
    fails: run('() => { throw new TypeError("from elsewhere") }'),
  })
  const client = await domain.client('client')
  const values = [
    'new ArrayBuffer(4)',
    'new SharedArrayBuffer(4)',
    'new Uint8Array(4)',
    'new DataView(new ArrayBuffer(4))',
  ]
  for (const code of values) assert.equal(await client.deliver('size', run(code)), 4, code)
  assert.equal(await client.deliver('promised'), 42)
  assert.deepEqual(await client.deliver('bytes'), Buffer.alloc(4))
  const announced = eventOf(server, 'error')
  await client.send('fails')
  assert.equal((await announced).message, 'from elsewhere')
})

test('the rejection of an async listener is emitted if captureRejections is set', async t => {
  t.after(() => {
    EventEmitter.captureRejections = false
  })
  EventEmitter.captureRejections = true
  const domain = new Domain(t)
  const server = domain.idleServer({ echo: ({ data }) => data })
  server.on('connection', async () => {
    throw new Error('of the listener')
  })
  const announced = eventOf(server, 'error')
  server.start()
  const client = domain.idleClient('client')
  client.on('connect', async () => {
    throw new Error('of the client')
  })
  const announcedThere = eventOf(client, 'error')
  await client.connect()
  assert.equal((await announced).message, 'of the listener')
  assert.equal((await announcedThere).message, 'of the client')
  assert.equal(await client.deliver('echo', 5), 5)
})

test('data whose toJSON() throws something unusual is refused', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data })
  const client = await domain.client('client')
  for (const thrown of [revoked(), Symbol('odd'), Object.create(null), undefined]) {
    const data = {
      toJSON() {
        throw thrown
      },
    }
    await assert.rejects(client.deliver('echo', data), { code: 'ERR_IPC_NOT_SERIALIZABLE' })
    assert.equal(await client.deliver('echo', 1), 1)
  }
})

test('promises settle even if timers were faked before the package was loaded', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('faked-ticks.js')
  assert.equal(await child.report('answer'), 42)
  await child.report('closed')
})
