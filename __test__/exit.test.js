'use strict'

/** Whether a process ends, and what it leaves behind. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const ENDING = {
  'instances that were never started': 'idle',
  'instances that were used and closed': 'closed',
  'a client that was closed while it connected': 'given-up',
  'a client that was refused its name': 'refused',
  'messages queued on a client that never connects': 'queued',
  'a server that threw on its start': 'failed-start',
  'a client that has closed, with deliveries unanswered': 'unanswered',
}

for (const [what, scenario] of Object.entries(ENDING)) {
  test(`a process ends by itself with ${what}`, async t => {
    const domain = new Domain(t)
    const child = domain.spawn('exit.js', [scenario])
    assert.deepEqual(await child.end(), { code: 0, signal: null }, child.stderr)
    assert.equal(child.stderr, '')
    assert.deepEqual(domain.files(), [])
  })
}

test('a process does not end before close() has resolved', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('exit.js', ['closed-often'])
  await child.report('closed')
  assert.deepEqual(await child.end(), { code: 0, signal: null }, child.stderr)
})

test('a connected client keeps its process alive', async t => {
  const domain = new Domain(t)
  domain.server()
  const child = domain.spawn('exit.js', ['connected'])
  await child.report('connected')
  const alice = await domain.client('alice')
  await sleep(300)
  assert.equal(await alice.deliver('other', 'echo', 'alive'), 'alive')
  assert.equal(child.over, undefined)
})

test('a started server keeps its process alive', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('exit.js', ['started'])
  await child.report('started')
  await sleep(300)
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('echo', 'alive'), 'alive')
  await alice.close()
  await sleep(100)
  assert.equal(child.over, undefined)
  await child.kill()
})

test('a client that waits for its server keeps its process alive', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('exit.js', ['connected'])
  await child.report('connecting')
  await sleep(300)
  const server = domain.server()
  await child.report('connected')
  assert.equal(server.isStarted(), true)
})

for (const how of ['exit', 'uncaught', 'exit-in-handler', 'exit-in-client-handler', 'exit-while-closing']) {
  test(`a process that ends by ${how} removes its socket`, async t => {
    const domain = new Domain(t)
    const child = domain.spawn('exit.js', [how])
    const { code, signal } = await child.end()
    assert.deepEqual([code, signal], [how === 'uncaught' ? 1 : 3, null], child.stderr)
    assert.deepEqual(domain.files(), [])
  })
}

test('the client of a server whose process exits notices, and finds the next one', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('exit.js', ['started'])
  await child.report('started')
  const alice = await domain.client('alice')
  alice.send('exit', 3)
  assert.deepEqual(await child.end(), { code: 3, signal: null })
  domain.server({ echo: ({ data }) => data, exit() {} })
  assert.equal(await alice.deliver('echo', 'found'), 'found')
})

test('what a server that exits in a handler was not called for goes to the next one', async t => {
  const domain = new Domain(t)
  const numbers = [1, 2, 3, 4, 5, 6]
  const first = domain.spawn('leaving-server.js', [3])
  await first.report('listening')
  const alice = await domain.client('alice')
  const sent = numbers.map(number =>
    number === 6 ? alice.deliver('ask', number) : alice.send('tell', number),
  )
  for (const number of [1, 2, 3]) assert.equal(await first.report('called'), number)
  assert.deepEqual(await first.end(), { code: 7, signal: null }, first.stderr)
  const second = domain.spawn('leaving-server.js', ['none'])
  await within(Promise.all(sent), 'all to be handled')
  const called = []
  while (called.at(-1) !== 6) called.push(await second.report('called'))
  assert.deepEqual(called.slice(-3), [4, 5, 6])
})
