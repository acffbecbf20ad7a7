'use strict'

/** Peers that break the rules of protocol 2, by accident or on purpose. */

const assert = require('node:assert/strict')
const { isUtf8 } = require('node:buffer')
const { once } = require('node:events')
const test = require('node:test')
const { within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { FLAG, KIND, RawPeer, frameOf, rawServer } = require('./support/raw-peer.js')

/** Payloads that end early and continue with more, or are not JSON. */
const FORGED = [
  '1],[0,"forged"',
  '{}{}',
  '1 2',
  '1,2',
  '"a","b"',
  'null}',
  '[1]]',
  '{"a":1}]',
  '[1,]',
  '{"a":1,}',
  '',
  ' ',
  'undefined',
  'NaN',
  "'single'",
  '01',
  '1.',
  '"unended',
  '"tab\there"',
  '[[[[',
  '1//comment',
  '\ufeff1',
  Buffer.from('"\xff"', 'latin1'),
  Buffer.from('"\xed\xa0\x80"', 'latin1'),
]

/** The same, large enough to be parsed separately. */
const LARGE_FORGED = FORGED.map(payload => Buffer.concat([Buffer.alloc(2_000, ' '), Buffer.from(payload)]))

async function open(t) {
  const domain = new Domain(t)
  const words = new Inbox()
  const handlers = { word: words.takeData, echo: ({ data }) => data }
  const server = domain.server(handlers)
  const witness = await domain.client('witness', handlers)
  const connect = async (name = 'mallory') => {
    const peer = new RawPeer(domain.path)
    domain.defer(() => peer.close())
    const welcome = await peer.handshake(name)
    assert.equal(welcome.command, 'handshake')
    return peer
  }
  return { domain, server, witness, words, connect }
}

test('a peer by hand is served like any other', async t => {
  const { server, witness, words, connect } = await open(t)
  const peer = await connect()
  peer.send(KIND.SEND, { command: 'word', payload: '"to the server"' })
  peer.send(KIND.EMIT, { name: 'witness', command: 'word', payload: '{"to": "the witness"}' })
  peer.send(KIND.REQUEST, { id: 1, command: 'echo', payload: '[1]' })
  peer.send(KIND.REQUEST, { id: 2, name: 'witness', command: 'echo', payload: '[2]' })
  const got = await words.first(2)
  assert.deepEqual(
    got.filter(data => typeof data === 'string'),
    ['to the server'],
  )
  assert.deepEqual(
    got.filter(data => typeof data === 'object'),
    [{ to: 'the witness' }],
  )
  server.emit('mallory', 'word', 'from the server')
  await witness.emit('mallory', 'word', 'from the witness')
  await within(
    (async () => {
      while (peer.frames.all.filter(({ kind }) => kind !== KIND.ACKNOWLEDGEMENT).length < 4) {
        await peer.frames.next()
      }
    })(),
    'the answers',
  )
  const frames = peer.frames.all.filter(({ kind }) => kind !== KIND.ACKNOWLEDGEMENT)
  const has = expected =>
    assert.ok(
      frames.some(frame => Object.entries(expected).every(([key, value]) => frame[key] === value)),
      JSON.stringify([expected, frames]),
    )
  has({ kind: KIND.RESPONSE, id: 1, payload: '[1]' })
  has({ kind: KIND.RESPONSE, id: 2, payload: '[2]' })
  has({ kind: KIND.EMIT, name: '', command: 'word', payload: '"from the server"' })
  has({ kind: KIND.EMIT, name: 'witness', command: 'word', payload: '"from the witness"' })
})

for (const [kind, fields] of [
  ['SEND', { command: 'word' }],
  ['EMIT', { name: 'witness', command: 'word' }],
  ['BROADCAST', { command: 'word' }],
  ['REQUEST', { id: 1, command: 'word' }],
  ['REQUEST', { id: 1, name: 'witness', command: 'word' }],
]) {
  const target = fields.name ? 'a client' : 'the server'
  test(`a ${kind} to ${target} whose payload ends early forges nothing, and costs its connection`, async t => {
    const { witness, words, connect } = await open(t)
    for (const [round, payload] of FORGED.entries()) {
      const peer = await connect(`mallory ${round}`)
      // One write: the good ones of the batch arrive, those behind the bad one do not.
      const good = frameOf(KIND[kind], { ...fields, payload: '"good"' })
      const bad = frameOf(KIND[kind], { ...fields, id: fields.id ? 2 : 0, payload })
      peer.write(Buffer.concat([good, bad, good]))
      await peer.end()
      assert.equal(await witness.deliver('echo', round), round)
      assert.equal(await witness.deliver('witness', 'echo', round), round)
    }
    for (const word of words.all) assert.equal(word, 'good')
    assert.equal(words.all.length, FORGED.length)
  })

  test(`a ${kind} to ${target} whose payload is large and ends early does as little`, async t => {
    const { witness, words, connect } = await open(t)
    for (const [round, payload] of LARGE_FORGED.entries()) {
      const peer = await connect(`mallory ${round}`)
      peer.write(frameOf(KIND[kind], { ...fields, payload }))
      await peer.end()
      assert.equal(await witness.deliver('echo', round), round)
      assert.equal(await witness.deliver('witness', 'echo', round), round)
    }
    assert.deepEqual(words.all, [])
  })
}

test('an answer whose payload ends early settles nothing with it', async t => {
  const { witness, connect } = await open(t)
  for (const [round, payload] of [...FORGED, ...LARGE_FORGED].entries()) {
    const peer = await connect(`mallory ${round}`)
    const delivery = witness.deliver(`mallory ${round}`, 'word', 1)
    const settled = Promise.allSettled([delivery])
    let asked
    while (!asked) {
      asked = peer.frames.all.find(({ kind }) => kind === KIND.REQUEST)
      if (!asked) await peer.frames.next()
    }
    peer.send(KIND.RESPONSE, { id: asked.id, payload })
    await peer.end()
    // A broken connection may be resumed. Once another session has the name, there will be no answer.
    await connect(`mallory ${round}`)
    const [{ status, reason }] = await within(settled, 'the delivery')
    assert.deepEqual([status, reason?.code], ['rejected', 'ERR_IPC_CLIENT_LEFT'])
  }
})

test('a server whose large answers and messages are not JSON loses its clients, and their deliveries settle', async t => {
  const domain = new Domain(t)
  const words = new Inbox()
  const client = domain.idleClient('alice', { word: words.takeData })
  // What is not even text is seen before, as in small messages.
  const forged = LARGE_FORGED.filter(isUtf8)
  let round = 0
  const server = await rawServer(domain.path, socket => {
    socket.on('data', frames => {
      // The delivery is the first that the client sends on each connection.
      const id = Number(frames.readBigUInt64LE(10))
      const good = frameOf(KIND.EMIT, { command: 'word', payload: '"good"' })
      const bad = forged[round++]
      socket.write(
        Buffer.concat([
          good,
          frameOf(KIND.ACKNOWLEDGEMENT, { id: 1 }),
          frameOf(KIND.RESPONSE, { id, payload: bad }),
          frameOf(KIND.EMIT, { command: 'word', payload: bad }),
        ]),
      )
    })
  })
  domain.defer(() => server.close())
  await client.connect()
  for (let asked = 0; asked < forged.length; asked++) {
    const left = once(client, 'disconnect')
    const answer = client.deliver('anything')
    await assert.rejects(within(answer, 'the answer'), { code: 'ERR_IPC_INVALID_JSON' })
    await within(left, 'the client to leave')
  }
  assert.deepEqual(words.all, forged.fill('good'))
})

test('frames that break the protocol end the connection, and do no other harm', async t => {
  const { witness, words, connect } = await open(t)
  const word = { command: 'word', payload: '1' }
  const broken = {
    'an unknown kind': frameOf(77, word),
    'a length of nothing': Buffer.alloc(4),
    'a length that ends within the header': frameOf(KIND.SEND, { ...word, length: 5 }),
    'a length above the limit': frameOf(KIND.SEND, { ...word, length: 0xffffffff }),
    'a name that ends behind the frame': frameOf(KIND.SEND, { ...word, nameLength: 500 }),
    'a command that ends behind the frame': frameOf(KIND.SEND, { ...word, commandLength: 500 }),
    'a command that is no UTF-8': frameOf(KIND.SEND, { ...word, command: Buffer.from([0xff]) }),
    'a name that is no UTF-8': frameOf(KIND.EMIT, { ...word, name: Buffer.from([0xc0, 0x80]) }),
    'an acknowledgement of what was never sent': frameOf(KIND.ACKNOWLEDGEMENT, { id: 1_000 }),
    'text of protocol 1': Buffer.from('{"id":null,"command":"word","data":1,"delivery":null}'),
  }
  for (const [what, bytes] of Object.entries(broken)) {
    const peer = await connect(what)
    peer.write(bytes)
    await peer.end().catch(late => assert.fail(`${what}: ${late.message}`))
    assert.equal(await witness.deliver('echo', what), what)
  }
  assert.deepEqual(words.all, [])
})

test('an answer to a delivery to another client settles nothing', async t => {
  const { domain, connect } = await open(t)
  const asked = new Inbox()
  const finish = []
  await domain.client('bob', {
    wait: ({ data }) => {
      asked.take(data)
      return new Promise(resolve => finish.push(resolve))
    },
  })
  const alice = await domain.client('alice')
  const delivery = alice.deliver('bob', 'wait', 1)
  await asked.first(1)
  const peer = await connect()
  for (let id = 0; id < 100; id++) {
    peer.send(KIND.RESPONSE, { id, payload: '"forged"' })
    peer.send(KIND.FAILURE, { id, payload: '{"name":"Error","message":"forged","code":null}' })
  }
  // Its next request is answered after all of these, if it is still connected; if not, that is as good.
  peer.send(KIND.REQUEST, { id: 1, command: 'echo', payload: '1' })
  await Promise.race([peer.ended, peer.frames.next()])
  finish[0]('genuine')
  assert.equal(await within(delivery, 'the answer'), 'genuine')
})

test('a peer cannot pose as another: the server says who sent it', async t => {
  const { domain, connect } = await open(t)
  const inbox = new Inbox()
  await domain.client('bob', { word: inbox.take })
  const peer = await connect()
  peer.send(KIND.BROADCAST, { name: 'alice', command: 'word', payload: '1' })
  peer.send(KIND.EMIT, { name: 'bob', command: 'word', payload: '2' })
  const containers = await inbox.first(2)
  assert.deepEqual(
    containers.map(({ data, from }) => [data, from]),
    [
      [1, 'mallory'],
      [2, 'mallory'],
    ],
  )
})

test('bytes are never read as JSON', async t => {
  const { words, connect } = await open(t)
  const peer = await connect()
  peer.send(KIND.SEND, { flags: FLAG.BYTES, command: 'word', payload: '1],[0,"forged"' })
  peer.send(KIND.SEND, { command: 'word', payload: '"the end"' })
  const [bytes, end] = await words.first(2)
  assert.ok(Buffer.isBuffer(bytes))
  assert.deepEqual([bytes.toString(), end], ['1],[0,"forged"', 'the end'])
})

test('JSON nested deeper than 10,000 levels ends the connection of its sender, and does not delay others', async t => {
  const { witness, words, connect } = await open(t)
  const nested = depth => '['.repeat(depth) + ']'.repeat(depth)
  const peer = await connect()
  peer.send(KIND.SEND, { command: 'word', payload: nested(10_000) })
  let [array] = await words.first(1)
  let depth = 1
  for (; array.length > 0; array = array[0]) depth++
  assert.equal(depth, 10_000)
  peer.close()
  const deep = [
    ['to the server', KIND.SEND, { payload: nested(10_001) }],
    ['large, to the server', KIND.SEND, { payload: nested(5_000_000) }],
    ['to a client', KIND.EMIT, { name: 'witness', payload: nested(10_001) }],
    ['large, to a client', KIND.EMIT, { name: 'witness', payload: nested(5_000_000) }],
    ['in objects', KIND.SEND, { payload: `${'{"a":'.repeat(10_001)}1${'}'.repeat(10_001)}` }],
  ]
  for (const [what, kind, fields] of deep) {
    const peer = await connect()
    peer.send(kind, { command: 'word', ...fields })
    await peer.end().catch(late => assert.fail(`${what}: ${late.message}`))
    assert.equal(await witness.deliver('echo', what), what)
  }
  assert.equal(words.all.length, 1)
})
