'use strict'

/** Threads and processes that end while they send and receive, hundreds of times. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const PROCESSES = 4
const WORKERS = 50

test(`${PROCESSES * WORKERS} workers terminated while they send do not crash their processes`, async t => {
  const domain = new Domain(t)
  for (let index = 0; index < PROCESSES; index += 2) {
    const children = [index, index + 1].map(number =>
      domain.spawn('terminated-workers.js', [WORKERS, number]),
    )
    for (const child of children) {
      const ended = await child.end(120_000)
      assert.deepEqual(ended, { code: 0, signal: null }, child.stderr)
      assert.deepEqual(await child.report('terminated'), WORKERS)
      assert.equal(child.stderr, '')
    }
    assert.deepEqual(domain.files(), [])
  }
})

test('200 processes that exit while they send leave no socket, and none crashes', async t => {
  const domain = new Domain(t)
  let next = 0
  const runOnes = async () => {
    while (next < 200) {
      const number = next++
      const child = domain.spawn('exiting.js', [number])
      const ended = await child.end()
      assert.deepEqual(ended, { code: 7, signal: null }, `${number}: ${child.stderr}`)
      assert.equal(child.stderr, '')
    }
  }
  await Promise.all([runOnes(), runOnes(), runOnes()])
  assert.deepEqual(domain.files(), [])
})

test('a worker that ends removes its sockets, and the others continue', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('ending-worker.js')
  const ended = await child.end()
  assert.deepEqual(ended, { code: 0, signal: null }, child.stderr)
  assert.deepEqual(await child.report('done'), { worker: 0, answer: 'goes on' })
})

test('servers and clients of several workers talk to each other', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('talking-workers.js')
  const answers = await within(child.report('answers'), 'the answers')
  assert.deepEqual(
    answers,
    Array.from({ length: 4 }, (_, index) => `worker ${(index + 1) % 4}`),
  )
  assert.deepEqual(await child.end(), { code: 0, signal: null }, child.stderr)
})
