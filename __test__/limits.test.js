'use strict'

const assert = require('node:assert/strict')
const net = require('node:net')
const test = require('node:test')
const { Client, Server } = require('..')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { textOf } = require('./support/legacy-framing.js')
const { RawPeer } = require('./support/raw-peer.js')

/** A connection by hand: what it reads, and its end. */
function connectRaw(domain) {
  const socket = net.connect(domain.path)
  const raw = { socket, text: '' }
  socket.on('error', () => {})
  socket.setEncoding('utf8').on('data', text => {
    raw.text += text
  })
  raw.end = () => within(raw.ended, 'the server to end the connection')
  raw.ended = new Promise(resolve => socket.on('close', resolve))
  domain.defer(() => socket.destroy())
  return raw
}

test('a connection without a handshake ends after handshakeTimeout', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data }, { handshakeTimeout: 50 })
  const silent = connectRaw(domain)
  const halfway = connectRaw(domain)
  halfway.socket.write('{"id":null,"command":"hand')
  await Promise.all([silent.end(), halfway.end()])
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('echo', 1), 1)
})

test('an old client that never comes to its private socket ends after handshakeTimeout', async t => {
  const domain = new Domain(t)
  domain.server(null, { handshakeTimeout: 50 })
  const half = connectRaw(domain)
  half.socket.write(textOf(null, 'handshake', 'half'))
  await half.end()
  assert.deepEqual(domain.files(), [`IPC.io.${domain.name}`])
  const next = await domain.client('half')
  assert.deepEqual((await next.discover()).clients, ['half'])
})

test('a client above maxClients is served once another has left', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data }, { maxClients: 2 })
  const alice = await domain.client('alice')
  await domain.client('bob')
  const carol = domain.idleClient('carol')
  const connecting = carol.connect()
  const extra = connectRaw(domain)
  extra.socket.write(textOf(null, 'handshake', 'extra'))
  await extra.end()
  assert.doesNotMatch(extra.text, /handshake/)
  assert.equal(carol.isConnected(), false)
  const gone = eventOf(server, 'disconnection')
  await alice.close()
  await gone
  await within(connecting, 'carol to connect')
  assert.equal(await carol.deliver('echo', 'served'), 'served')
})

test('a first message that is not a handshake ends the connection, and does no other harm', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data })
  const alice = await domain.client('alice')
  const garbage = [
    'GET / HTTP/1.1\r\n\r\n',
    '\0\0\0\0',
    '[]',
    '{}',
    '{"id":null,"command":"handshake"}',
    textOf(null, 'handshake', 7),
    textOf(null, 'handshake', ''),
    textOf(null, 'word', 1),
    textOf('alice', 'discover', null),
    '{"command":"handshake","data":"x"]}',
    Buffer.from([0xff, 0xfe, 0x7b, 0x7d]),
    `{"id":null,"command":"handshake","data":"${'x'.repeat(70_000)}","delivery":null}`,
  ]
  for (const bytes of garbage) {
    const raw = connectRaw(domain)
    raw.socket.write(bytes)
    await raw.end().catch(late => assert.fail(`${bytes}: ${late.message}`))
    assert.doesNotMatch(raw.text, /"command":"handshake"/, String(bytes))
    assert.equal(await alice.deliver('echo', 1), 1)
  }
  assert.deepEqual((await alice.discover()).clients, ['alice'])
})

test('an old client that breaks the rules loses its connection, and only it', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data }, { maxMessageSize: 10_000 })
  const alice = await domain.client('alice')
  const broken = [
    ['a message above the limit', 'private', textOf(null, 'echo', 'x'.repeat(400_000))],
    ['a message without an end', 'private', `{"id":null,"data":"${'x'.repeat(400_000)}`],
    ['what is no object', 'private', '[1]'],
    ['what is no JSON', 'private', '{"id":null,,}'],
    ['an emit of what is no message', 'control', textOf('old', 'emit', 'no JSON')],
    ['an emit without a text', 'control', textOf('old', 'emit', { id: 'alice' })],
  ]
  for (const [what, channel, bytes] of broken) {
    const gone = eventOf(server, 'disconnection')
    const greeting = connectRaw(domain)
    greeting.socket.write(textOf(null, 'handshake', what))
    const uuid = await new Promise(resolve => {
      greeting.socket.once('data', text => resolve(JSON.parse(text).data))
    })
    const connected = eventOf(server, 'connection')
    const priv = net.connect(`${domain.path}.${uuid}`).on('error', () => {})
    await connected
    ;(channel === 'control' ? greeting.socket : priv).write(bytes)
    await greeting.end().catch(late => assert.fail(`${what}: ${late.message}`))
    const { name } = await gone.catch(late => assert.fail(`${what}: ${late.message}`))
    assert.equal(name, what)
    priv.destroy()
    assert.equal(await alice.deliver('echo', what), what)
  }
})

test('limits that are too low are refused, and so is a name that is too long for a frame', () => {
  const refusal = { code: 'ERR_IPC_INVALID_ARGUMENT' }
  for (const option of ['maxMessageSize', 'maxClients', 'maxDeliveries', 'handshakeTimeout']) {
    for (const value of [0, 0.5])
      assert.throws(() => new Server({ [option]: value }), refusal, `${option}: ${value}`)
    assert.ok(new Server({ [option]: 1 }))
  }
  assert.throws(() => new Client({ maxMessageSize: 0 }), refusal)
  assert.throws(() => new Client({ name: 'x'.repeat(65_536) }), refusal)
  assert.throws(() => new Client({ name: 'ž'.repeat(32_768) }), refusal)
  assert.throws(() => new Client({ name: '"'.repeat(32_768) }), refusal)
  assert.ok(new Client({ name: 'x'.repeat(65_535) }))
})

test('the longest names are accepted, also those that are longer as JSON', async t => {
  const domain = new Domain(t)
  domain.server({ who: ({ from }) => from })
  for (const name of ['x'.repeat(65_535), '"'.repeat(32_767)]) {
    const client = await domain.client(name)
    assert.equal(await client.deliver('who'), name)
  }
})

test('a handshake whose session id is long ends the connection, and nothing of it is kept', async t => {
  const domain = new Domain(t)
  domain.server()
  const greet = async length => {
    const peer = new RawPeer(domain.path)
    domain.defer(() => peer.close())
    const { command } = await peer.handshake('peer', { session: 's'.repeat(length) })
    return command
  }
  assert.equal(await greet(129), 'error')
  assert.equal(await greet(128), 'handshake')
})

test('a handshake whose values make no sense is refused, and the log says why', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data })
  const alice = await domain.client('alice')
  const mistakes = [
    { limit: 0 },
    { limit: -1 },
    { limit: 0.5 },
    { limit: '1000' },
    { limit: null },
    { limit: 2 ** 70 },
    { version: 0 },
    { version: -2 },
    { version: 2 ** 40 },
    { session: '' },
    { session: 7 },
    { attempt: -1 },
    { received: -1 },
    { received: 'all' },
    { server: 5 },
  ]
  for (const mistake of mistakes) {
    const peer = new RawPeer(domain.path)
    domain.defer(() => peer.close())
    const { command, data } = await within(peer.handshake('odd', mistake), JSON.stringify(mistake))
    assert.deepEqual([command, data], ['error', 204], JSON.stringify(mistake))
    await peer.end()
  }
  assert.deepEqual((await alice.discover()).clients, ['alice'])
})

test('a server whose handshake makes no sense is no server: the client tries again', async t => {
  for (const ipcio of [{ limit: 0 }, { limit: -1 }, { version: 'two' }, { received: null }]) {
    const domain = new Domain(t)
    let attempts = 0
    const server = net.createServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => {
        const welcome = { version: 2, server: 's', resumed: false, received: 0, limit: 1000, ...ipcio }
        const text = textOf('alice', 'handshake', 'f'.repeat(32))
        attempts += 1
        socket.write(text.replace(/}$/, `,"ipcio":${JSON.stringify(welcome)}}`))
      })
    })
    await new Promise(resolve => server.listen(domain.path, resolve))
    const client = domain.idleClient('alice')
    client.connect().catch(() => {})
    while (attempts < 2) await new Promise(resolve => setTimeout(resolve, 5))
    assert.equal(client.isConnected(), false)
    await client.close()
    await new Promise(resolve => server.close(resolve))
  }
})

test('a message that its receiver does not accept is dropped, with an event, and its sender is not blamed', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data })
  const small = await domain.client(
    'small',
    { word: () => assert.fail('too large') },
    { maxMessageSize: 100 },
  )
  const large = new Inbox()
  await domain.client('large', { word: large.takeData })
  const alice = await domain.client('alice')
  const text = 'x'.repeat(200)
  const lost = new Inbox()
  server.on('dropped', lost.take)
  server.emit('small', 'word', text).broadcast('word', text)
  await alice.emit('small', 'word', text)
  await alice.broadcast('word', text)
  await assert.rejects(alice.deliver('small', 'word', text), { code: 'ERR_IPC_MESSAGE_TOO_LARGE' })
  assert.deepEqual(await large.first(2), [text, text])
  assert.equal(await small.deliver('echo', 'goes on'), 'goes on')
  let messages = 0
  for (let count = 1; messages < 4; count++) {
    const loss = (await lost.first(count))[count - 1]
    assert.equal(loss.name, 'small')
    assert.equal(loss.bytes, loss.messages * (text.length + 2))
    messages += loss.messages
  }
  assert.equal(messages, 4)
  // The server's own limit is the program's business.
  const strict = new Domain(t).server(null, { maxMessageSize: 100 })
  for (const send of [() => strict.emit('anybody', 'word', text), () => strict.broadcast('word', text)])
    assert.throws(send, { code: 'ERR_IPC_MESSAGE_TOO_LARGE' })
})

test('discover() rejects where its answer is above the limit of the client, which stays', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data })
  for (let n = 0; n < 5; n++) await domain.client(String(n).repeat(60_000))
  const alice = await domain.client('alice', {}, { maxMessageSize: 100_000 })
  let cuts = 0
  alice.on('disconnect', () => {
    cuts += 1
  })
  await assert.rejects(within(alice.discover(), 'the rejection'), { code: 'ERR_IPC_MESSAGE_TOO_LARGE' })
  assert.deepEqual([await alice.deliver('echo', 1), cuts], [1, 0])
})

test('a client may have maxDeliveries under way; further ones fail until some are answered', async t => {
  const domain = new Domain(t)
  const held = []
  const hold = () => new Promise(resolve => held.push(resolve))
  domain.server({ hold }, { maxDeliveries: 4 })
  await domain.client('bob', { hold })
  const alice = await domain.client('alice')
  const first = [1, 2].flatMap(n => [alice.deliver('hold', n), alice.deliver('bob', 'hold', n)])
  const refusal = { code: 'ERR_IPC_TOO_MANY_DELIVERIES' }
  await assert.rejects(alice.deliver('hold', 3), refusal)
  await assert.rejects(alice.deliver('bob', 'hold', 3), refusal)
  // Other clients are not affected.
  const carol = await domain.client('carol')
  const other = carol.deliver('bob', 'hold', 1)
  while (held.length < 5) await new Promise(setImmediate)
  for (const answer of held.splice(0)) answer('done')
  assert.deepEqual(await within(Promise.all([...first, other]), 'the answers'), Array(5).fill('done'))
  const last = [alice.deliver('hold', 4), alice.deliver('bob', 'hold', 4)]
  while (held.length < 2) await new Promise(setImmediate)
  for (const answer of held) answer('again')
  assert.deepEqual(await within(Promise.all(last), 'the answers'), ['again', 'again'])
})
