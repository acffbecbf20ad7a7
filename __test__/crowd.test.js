'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const COUNT = 1_000
const NAMES = Array.from({ length: COUNT }, (_, index) => `client ${index}`)

for (const when of ['there before them', 'started after them']) {
  test(`1,000 clients that connect at once all arrive, the server ${when}`, async t => {
    const domain = new Domain(t)
    const start = async () => {
      const child = domain.spawn('logging-server.js')
      await child.report('listening')
    }
    if (when === 'there before them') await start()
    const clients = NAMES.map(name => domain.idleClient(name))
    const connected = Promise.all(clients.map(client => client.connect()))
    connected.catch(() => {})
    if (when === 'started after them') await start()
    await within(connected, 'all to connect', 60_000)
    const answers = await within(
      Promise.all(clients.map(client => client.deliver('tell', client.name))),
      'all answers',
    )
    assert.deepEqual(answers, NAMES)
    const { clients: found } = await clients[0].discover()
    assert.deepEqual(found.sort(), [...NAMES].sort())
    await within(Promise.all(clients.map(client => client.close())), 'all to close')
  })
}

test('a broadcast reaches each of 300 clients, in order', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const got = new Map()
  await Promise.all(
    NAMES.slice(0, 300).map(name => {
      got.set(name, [])
      return domain.client(name, {
        word({ data }) {
          got.get(name).push(data)
          return got.get(name).length
        },
      })
    }),
  )
  for (let round = 0; round < 20; round++) server.broadcast('word', round)
  const last = await domain.client('last')
  const counts = await within(
    Promise.all([...got.keys()].map(name => last.deliver(name, 'word', 'the end'))),
    'all answers',
  )
  assert.deepEqual(counts, Array(300).fill(21))
  const expected = [...Array.from({ length: 20 }, (_, round) => round), 'the end']
  for (const words of got.values()) assert.deepEqual(words, expected)
})
