'use strict'

/** The queue of a client has a limit. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const FULL = { code: 'ERR_IPC_QUEUE_FULL' }
const KIBIBYTE = 'x'.repeat(1022)

test('messages that do not fit reject one by one, and drain follows when there is room', async t => {
  for (const queueLimit of [10_000, 3 * 2 ** 20]) {
    const domain = new Domain(t)
    const alice = domain.idleClient('alice', null, { queueLimit })
    alice.connect().catch(() => {})
    const fates = []
    const count = Math.ceil((queueLimit * 2) / 1024)
    for (let index = 0; index < count; index++) {
      fates.push(
        alice.send('word', KIBIBYTE).then(
          () => true,
          error => error.code,
        ),
      )
    }
    const { messages, bytes } = alice.queued
    assert.ok(bytes <= queueLimit && bytes > queueLimit - 2 * 1100, `${bytes} of ${queueLimit}`)
    assert.ok(messages < count && messages >= Math.floor(queueLimit / 1100), `${messages} of ${count}`)
    await assert.rejects(alice.deliver('word', KIBIBYTE), FULL)
    const drained = eventOf(alice, 'drain')
    let handled = 0
    domain.server({ word: () => ++handled })
    await within(drained, 'the drain')
    assert.ok(alice.queued.bytes <= queueLimit / 2)
    const settled = await within(Promise.all(fates), 'all to settle')
    assert.equal(settled.filter(fate => fate === true).length, messages)
    assert.deepEqual(new Set(settled), new Set([true, FULL.code]))
    assert.equal(await alice.deliver('word', KIBIBYTE), messages + 1)
    assert.equal(handled, messages + 1)
    assert.deepEqual(alice.queued, { messages: 0, bytes: 0 })
  }
})

test('deliveries count until they are answered, and cancelled ones do not', async t => {
  const domain = new Domain(t)
  const answers = []
  domain.server({ ask: () => new Promise(resolve => answers.push(resolve)), echo: ({ data }) => data })
  const alice = await domain.client('alice', null, { queueLimit: 5_000 })
  const controller = new AbortController()
  const asked = [1, 2, 3, 4].map(() => alice.deliver(null, 'ask', KIBIBYTE, { signal: controller.signal }))
  await assert.rejects(alice.deliver('echo', KIBIBYTE), FULL)
  await assert.rejects(alice.send('echo', KIBIBYTE), FULL)
  const drained = eventOf(alice, 'drain')
  controller.abort()
  for (const each of asked) await assert.rejects(each, { name: 'AbortError' })
  await within(drained, 'the drain')
  assert.equal(await alice.deliver('echo', KIBIBYTE), KIBIBYTE)
})

test('an empty queue takes one message of any size, and no message has size 0', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data.length })
  const alice = await domain.client('alice', null, { queueLimit: 1 })
  for (let round = 0; round < 3; round++) assert.equal(await alice.deliver('echo', KIBIBYTE), 1022)
  assert.throws(() => domain.idleClient('bob', null, { queueLimit: 0 }), { code: 'ERR_IPC_INVALID_ARGUMENT' })
})
