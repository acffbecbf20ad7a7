'use strict'

const assert = require('node:assert/strict')
const path = require('node:path')
const { mock, test } = require('node:test')
const { Worker } = require('node:worker_threads')
const { Domain } = require('./support/domain.js')
const { within } = require('./support/deadline.js')

/** More deliveries than reject in one portion. */
const MANY = 20_000

/** The most deliveries that reject before other work runs. */
const PORTION = 1024

test('many deliveries that time out at once do not block other work', async t => {
  const domain = new Domain(t)
  const alone = domain.idleClient('alone')
  const connecting = alone.connect().catch(() => {})
  await check(index => alone.deliver(null, 'echo', index, { timeout: 30 }))
  await alone.close()
  await connecting
})

test('nor do those to a client that does not answer', async t => {
  const domain = new Domain(t)
  domain.server()
  const alice = await domain.client('alice')
  await domain.client('bob', { never: () => new Promise(() => {}) })
  await check(index => alice.deliver('bob', 'never', index, { timeout: 1000 }))
})

/** Makes many deliveries, and counts how many reject in one iteration of the event loop. */
async function check(ask) {
  let rejected = 0
  let most = 0
  const codes = new Set()
  const all = Array.from({ length: MANY }, (_, index) =>
    ask(index).catch(error => {
      rejected++
      codes.add(error.code)
    }),
  )
  let seen = 0
  let watching = true
  const watch = () => {
    most = Math.max(most, rejected - seen)
    seen = rejected
    if (watching) setImmediate(watch)
  }
  watch()
  await within(Promise.all(all), 'the rejections', 60_000)
  watching = false
  assert.deepEqual([...codes], ['ERR_IPC_TIMEOUT'])
  assert.ok(most <= PORTION, `${most} in one turn`)
}

test('the time limit of a delivery runs with faked timers', async t => {
  const domain = new Domain(t)
  domain.server({ never: () => new Promise(() => {}) })
  const alice = await domain.client('alice')
  const idle = domain.idleClient('idle')
  t.after(() => mock.timers.reset())
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })
  await assert.rejects(alice.deliver(null, 'never', 1, { timeout: 20 }), { code: 'ERR_IPC_TIMEOUT' })
  await assert.rejects(idle.deliver(null, 'never', 1, { timeout: 20 }), { code: 'ERR_IPC_TIMEOUT' })
})

test('an answer that arrived in time counts, even if the program reads it late', async t => {
  const domain = new Domain(t)
  const server = domain.spawn('counting-server.js', ['/dev/null'])
  await server.report('listening')
  const alice = await domain.client('alice')
  for (let round = 0; round < 5; round++) {
    const answer = alice.deliver(null, 'ask', round, { timeout: 60 })
    // It is written at the end of this tick, and the answer comes while this thread does nothing.
    await Promise.resolve()
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200))
    assert.equal(await answer, round)
  }
})

test('an answer that comes while a message is handled that was late itself counts', async t => {
  const domain = new Domain(t)
  const steps = new Int32Array(new SharedArrayBuffer(4))
  const pause = milliseconds => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
  const waitFor = step => {
    for (let now = Atomics.load(steps, 0); now < step; now = Atomics.load(steps, 0))
      Atomics.wait(steps, 0, now)
  }
  const worker = new Worker(path.join(__dirname, 'fixtures/answering-worker.js'), {
    workerData: { domain: domain.name, steps },
  })
  domain.defer(() => worker.terminate())
  const handlers = {
    poke() {
      Atomics.store(steps, 0, 2)
      waitFor(3)
      pause(1_000)
    },
  }
  const alice = await domain.client('alice', handlers)
  const ends = assert.rejects(alice.deliver(null, 'never', 0, { timeout: 50 }), { code: 'ERR_IPC_TIMEOUT' })
  const answer = alice.deliver(null, 'ask', 'in time', { timeout: 1_000 })
  alice.send('poke')
  // They are written at the end of this tick. Then this thread does nothing until the first one's time is over.
  await Promise.resolve()
  setImmediate(() => {
    waitFor(1)
    pause(60)
  })
  assert.equal(await answer, 'in time')
  await ends
})
