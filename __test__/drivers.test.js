'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const DRIVERS = ['loop', 'thread']

for (const server of DRIVERS) {
  for (const client of DRIVERS) {
    test(`a server by ${server} and a client by ${client} understand each other`, async t => {
      const domain = new Domain(t)
      const inbox = new Inbox()
      const started = domain.server({ echo: ({ data }) => data, word: inbox.takeData }, { driver: server })
      const alice = await domain.client('alice', { word: inbox.takeData }, { driver: client })
      const numbers = Array.from({ length: 1_000 }, (_, number) => number)
      const answers = numbers.map(number => alice.deliver('echo', number))
      assert.deepEqual(await within(Promise.all(answers), 'the answers'), numbers)
      for (const number of numbers) started.emit('alice', 'word', number)
      assert.deepEqual(await inbox.first(numbers.length), numbers)
    })
  }
}

test('the environment names the driver, and an unknown one is refused', async t => {
  for (const driver of DRIVERS) {
    const child = new Domain(t).spawn('exit.js', ['closed'], { env: { IPCIO_DRIVER: driver } })
    assert.deepEqual(await child.end(), { code: 0, signal: null }, child.stderr)
  }
  const child = new Domain(t).spawn('exit.js', ['idle'], { env: { IPCIO_DRIVER: 'rocket' } })
  assert.equal((await child.end()).code, 1)
  assert.match(child.stderr, /ERR_IPC_INVALID_ARGUMENT/)
  assert.match(child.stderr, /rocket/)
})

test('the driver that the options name wins over the environment', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('busy-relay.js', [], { env: { IPCIO_DRIVER: 'loop' } })
  await child.report('listening')
  const bob = new Inbox()
  await domain.client('bob', { word: bob.takeData })
  const alice = await domain.client('alice')
  await alice.emit('server', 'nothing')
  child.tell('busy')
  await child.report('busy')
  // The thread driver relays while the server's JavaScript is busy.
  await within(alice.emit('bob', 'word', 'relayed'), 'the acknowledgement')
  assert.deepEqual(await bob.first(1), ['relayed'])
  child.tell('done')
})

test('busyPoll may be turned off or raised', async t => {
  for (const busyPoll of [0, 50, 1_000]) {
    const domain = new Domain(t)
    domain.server({ echo: ({ data }) => data }, { busyPoll })
    const alice = await domain.client('alice', null, { busyPoll })
    for (let number = 0; number < 200; number++) assert.equal(await alice.deliver('echo', number), number)
  }
})

test('timers and immediates run while messages go to and fro', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data })
  const alice = await domain.client('alice')
  let running = true
  const exchange = (async () => {
    while (running) await alice.deliver('echo', 1)
  })()
  const turn = async () => {
    await new Promise(resolve => setTimeout(resolve, 1))
    await new Promise(resolve => setImmediate(resolve))
  }
  for (let round = 0; round < 100; round++) await within(turn(), 'a timer and an immediate')
  running = false
  await exchange
})

for (const driver of DRIVERS) {
  test(`timers and immediates run between messages that have gathered, by ${driver}`, async t => {
    const domain = new Domain(t)
    const text = 'x'.repeat(1_000)
    const count = 8_000
    const child = domain.spawn('flooded-server.js', [driver, count])
    await child.report('listening')
    const alice = await domain.client('alice')
    const bob = new Inbox()
    await domain.client('bob', { word: bob.takeData })
    child.tell('block')
    await child.report('blocked')
    const sent = Array.from({ length: count }, () => alice.send('word', text))
    const relayed = alice.emit('bob', 'word', 'relayed')
    // The thread has read all that came before what it relays.
    if (driver === 'thread') assert.deepEqual(await bob.first(1), ['relayed'])
    child.tell('go on')
    const { immediates, timers } = await child.report('counts')
    await within(Promise.all([...sent, relayed]), 'the acknowledgements')
    assert.ok(immediates >= 5, `${immediates} immediates`)
    assert.ok(timers >= 1, `${timers} timers`)
  })
}
