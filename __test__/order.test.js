'use strict'

/** Messages that arrived in time count, even if they are read late: after a blocked loop or a stopped process. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { eventOf } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

/** Keeps the event loop busy. */
function block(milliseconds) {
  const end = Date.now() + milliseconds
  while (Date.now() < end);
}

test('a client that was back while the loop of the server was blocked misses nothing', async t => {
  const domain = new Domain(t)
  const dropped = []
  const server = domain.server({ here() {} }, { resumeTimeout: 300 })
  server.on('dropped', event => dropped.push(event))
  const me = await domain.client('me')
  const child = domain.spawn('dropping-client.js')
  await child.report('connected')
  server.emit('reader', 'drop')
  await eventOf(server, 'disconnection')
  for (let number = 0; number < 20; number++) server.emit('reader', 'word', number)
  block(1_000)
  assert.equal(await me.deliver('reader', 'count', null), 20)
  assert.deepEqual(dropped, [])
})

test('a client that was back while the process of the server was stopped misses nothing', async t => {
  const domain = new Domain(t)
  const resumeTimeout = 500
  const server = domain.spawn('timed-server.js', [resumeTimeout])
  await server.report('listening')
  const me = await domain.client('me')
  const reader = domain.spawn('dropping-client.js')
  await reader.report('connected')
  await server.report('here')
  await reader.kill('SIGSTOP')
  server.tell('drop')
  await server.report('away')
  await server.kill('SIGSTOP')
  await reader.kill('SIGCONT')
  await sleep(2 * resumeTimeout)
  await server.kill('SIGCONT')
  assert.equal(await me.deliver('reader', 'count', null), 20)
  await sleep(2 * resumeTimeout)
  assert.equal(await me.deliver('reader', 'count', null), 20)
  assert.equal(server.stdout.includes('dropped'), false)
})
