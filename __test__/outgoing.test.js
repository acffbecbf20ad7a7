'use strict'

/** What is sent during one tick, which crosses to the native side in runs. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { until, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { KIND, RawPeer, frameOf } = require('./support/raw-peer.js')

const range = count => Array.from({ length: count }, (_, number) => number)

test('messages of one tick arrive in order, of any kind and to any receiver', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const handlers = { word: inbox.takeData, other: inbox.takeData, ask: inbox.takeData }
  domain.server(handlers)
  const alice = await domain.client('alice')
  const large = 'ž'.repeat(5_000)
  const sizes = [...range(40), 'a line\nand another', large, Buffer.from('raw'), ...range(300), large, 'last']
  const promises = sizes.flatMap(data => [
    alice.send('word', data),
    alice.send('word', data),
    alice.send('other', data),
    alice.deliver('ask', data),
    alice.deliver('ask', data),
  ])
  await within(Promise.all(promises), 'all to be handled')
  assert.deepEqual(
    inbox.all,
    sizes.flatMap(data => Array(5).fill(data)),
  )
})

test('each delivery of one tick gets its own answer, and a cancelled one gets none', async t => {
  const domain = new Domain(t)
  domain.server({
    sooner: ({ data }) => data,
    later: ({ data }) => new Promise(resolve => setImmediate(resolve, data)),
    fails({ data }) {
      throw new Error(`no ${data}`)
    },
  })
  const alice = await domain.client('alice')
  const ask = number => {
    if (number % 7 === 0) return alice.deliver('', 'fails', number).catch(error => error.message)
    if (number % 5 === 0) return alice.deliver('', 'later', number)
    if (number % 11 === 0) {
      const controller = new AbortController()
      const given = alice.deliver('', 'sooner', number, { signal: controller.signal }).catch(() => 'given up')
      controller.abort()
      return given
    }
    return alice.deliver('', 'sooner', number)
  }
  const expected = number => {
    if (number % 7 === 0) return `no ${number}`
    return number % 5 !== 0 && number % 11 === 0 ? 'given up' : number
  }
  assert.deepEqual(await within(Promise.all(range(500).map(ask)), 'all answers'), range(500).map(expected))
})

test('an answer is written before messages that the server emits later', async t => {
  const domain = new Domain(t)
  const server = domain.server({
    answer: ({ data }) => data,
    tell({ data, socket }) {
      if (data % 3 === 0) server.emit('alice', 'told', data)
      else if (data % 3 === 1) server.broadcast('told', data)
      else socket.writeCommand('told', data)
      return 'told'
    },
  })
  const alice = new RawPeer(domain.path)
  domain.defer(() => alice.close())
  await alice.handshake('alice')
  const commands = range(30).flatMap(() => ['answer', 'answer', 'answer', 'tell'])
  alice.write(
    Buffer.concat(
      commands.map((command, id) => frameOf(KIND.REQUEST, { id: id + 1, command, payload: `${id}` })),
    ),
  )
  const isAnswer = ({ kind }) => kind === KIND.RESPONSE
  const isWord = frame => isAnswer(frame) || frame.command === 'told'
  await until(() => alice.frames.all.filter(isWord).length === 150, 'all was answered and told')
  assert.deepEqual(
    alice.frames.all.filter(isWord).map(frame => (isAnswer(frame) ? frame.id : `told ${frame.payload}`)),
    commands.flatMap((command, id) => (command === 'tell' ? [`told ${id}`, id + 1] : [id + 1])),
  )
})

for (const [whose, server, client] of [
  ['its own', undefined, { maxMessageSize: 100 }],
  ["the server's", { maxMessageSize: 100 }, undefined],
]) {
  test(`a message above ${whose} limit is refused among others of its tick`, async t => {
    const domain = new Domain(t)
    const inbox = new Inbox()
    domain.server({ word: inbox.takeData }, server)
    const alice = await domain.client('alice', null, client)
    const texts = range(40).map(number => 'é'.repeat(number === 20 ? 60 : 10))
    const outcomes = await Promise.allSettled(texts.map(text => alice.send('word', text)))
    assert.deepEqual(
      outcomes.map(({ reason }) => reason?.code),
      texts.map(text => (text.length > 50 ? 'ERR_IPC_MESSAGE_TOO_LARGE' : undefined)),
    )
    assert.equal(inbox.all.length, 39)
  })
}

test('messages sent in the tick of close() are handled', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.takeData })
  const alice = await domain.client('alice')
  const sent = range(100).map(number => alice.send('word', number))
  await within(alice.close(), 'alice to close')
  await within(Promise.all(sent), 'all to be handled')
  assert.deepEqual(inbox.all, range(100))
})

test('messages that a closed client has discarded are not sent by its next connection', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  domain.server({ word: inbox.takeData })
  const alice = domain.idleClient('alice')
  const given = range(50).map(number => alice.send('word', `given up ${number}`).catch(error => error.code))
  await alice.close()
  assert.deepEqual(await Promise.all(given), Array(50).fill('ERR_IPC_CLOSED'))
  await within(alice.connect(), 'alice to connect')
  await within(Promise.all(range(50).map(number => alice.send('word', number))), 'all to be handled')
  assert.deepEqual(inbox.all, range(50))
})
