'use strict'

const assert = require('node:assert/strict')
const { getEventListeners } = require('node:events')
const test = require('node:test')
const { within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const never = () => new Promise(() => {})

/** A client of a server that answers `echo`, and nothing else. */
async function connected(t) {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data, never })
  return domain.client('client')
}

test('a signal has one listener for all of its deliveries, and none after the last', async t => {
  const client = await connected(t)
  const warnings = []
  const onWarning = warning => warnings.push(warning)
  process.on('warning', onWarning)
  t.after(() => process.off('warning', onWarning))
  const { signal } = new AbortController()
  const answers = Array.from({ length: 100 }, (_, i) => client.deliver(null, 'echo', i, { signal }))
  assert.equal(getEventListeners(signal, 'abort').length, 1)
  assert.equal((await Promise.all(answers)).length, 100)
  assert.equal(getEventListeners(signal, 'abort').length, 0)
  assert.equal(await client.deliver(null, 'echo', 7, { signal }), 7)
  assert.deepEqual(warnings, [])
})

test('a signal aborts all of its deliveries, and no others', async t => {
  const client = await connected(t)
  const controller = new AbortController()
  const { signal } = controller
  const given = Array.from({ length: 1_000 }, () => client.deliver(null, 'never', null, { signal }))
  const other = client.deliver(null, 'echo', 1, { signal: new AbortController().signal })
  controller.abort('enough')
  const outcomes = await within(Promise.allSettled(given), 'the aborted deliveries')
  assert.ok(outcomes.every(({ status, reason }) => status === 'rejected' && reason === 'enough'))
  assert.equal(await other, 1)
})

test('a signal without a reason gives an AbortError', async t => {
  const client = await connected(t)
  const expected = { name: 'AbortError', code: 'ABORT_ERR' }
  const signal = Object.assign(new EventTarget(), { aborted: false })
  const given = client.deliver(null, 'never', null, { signal })
  signal.aborted = true
  signal.dispatchEvent(new Event('abort'))
  await assert.rejects(within(given, 'the delivery'), expected)
  await assert.rejects(client.deliver(null, 'never', null, { signal }), expected)
})

test('a value that is no signal is refused before anything is sent', async t => {
  const client = await connected(t)
  const refusal = { code: 'ERR_IPC_INVALID_ARGUMENT' }
  for (const signal of ['x', 7, {}, { aborted: true }, Object.create(null), Symbol('s')]) {
    await assert.rejects(client.deliver(null, 'echo', 1, { signal }), refusal)
  }
  const failing = Object.defineProperty({}, 'timeout', {
    get() {
      throw new RangeError('of the program')
    },
  })
  await assert.rejects(client.deliver(null, 'echo', 1, failing), { name: 'RangeError' })
  assert.equal(await client.deliver('echo', 5), 5)
})

test('a very long time limit does not end a delivery at once', async t => {
  const client = await connected(t)
  for (const timeout of [Infinity, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, 1e300]) {
    assert.equal(await client.deliver(null, 'echo', timeout.toString(), { timeout }), timeout.toString())
  }
  const waiting = client.deliver(null, 'never', null, { timeout: 2 ** 31 })
  const short = client.deliver(null, 'never', null, { timeout: 30 })
  await assert.rejects(short, { code: 'ERR_IPC_TIMEOUT' })
  assert.equal(await Promise.race([waiting.catch(error => error), 'waiting']), 'waiting')
  waiting.catch(() => {})
})
