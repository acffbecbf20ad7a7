'use strict'

const assert = require('node:assert/strict')
const { test } = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { PromiseQueue, PromiseTable } = require('../lib/promises.js')

test('each promise of a table has a unique number, however many others come and go', async () => {
  const table = new PromiseTable()
  const slow = Array.from({ length: 50 }, () => table.next())
  const numbers = new Set(slow.map(pending => pending.number))
  for (let round = 0; round < 10; round++) {
    const quick = Array.from({ length: round % 2 === 0 ? 10 : 5_000 }, () => table.next())
    for (const pending of quick.reverse()) {
      numbers.add(pending.number)
      assert.equal(table.take(pending.number), pending)
      assert.equal(table.take(pending.number), undefined)
      pending.resolve(round)
      assert.equal(await pending.promise, round)
    }
  }
  assert.equal(numbers.size, 50 + 5 * 10 + 5 * 5_000)
  assert.deepEqual(table.takeAll(), slow)
  assert.deepEqual(table.takeAll(), [])
})

test('a table that was emptied can be used again', () => {
  const table = new PromiseTable()
  for (let round = 0; round < 3; round++) {
    const all = Array.from({ length: 10_000 }, () => table.next())
    for (const pending of all) assert.equal(table.take(pending.number), pending)
  }
  assert.deepEqual(table.takeAll(), [])
})

test('rejecting all promises that are left causes no unhandled rejection', async t => {
  const unhandled = []
  const note = error => unhandled.push(error)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))
  const queue = new PromiseQueue()
  for (let number = 0; number < 3000; number++) queue.next()
  queue.resolve(2500)
  queue.rejectAll(new Error('closed'))
  await sleep(20)
  assert.deepEqual(unhandled, [])
})
