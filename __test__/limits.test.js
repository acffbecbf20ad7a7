'use strict'

const assert = require('node:assert/strict')
const net = require('node:net')
const test = require('node:test')
const { Client, Server } = require('..')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
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

test('a connection that does not say who it is ends after handshakeTimeout', async t => {
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

test('what is no handshake ends the connection, and nothing else', async t => {
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

test('limits with which nothing would work are refused, and so is a name that no frame has room for', () => {
  const refusal = { code: 'ERR_IPC_INVALID_ARGUMENT' }
  for (const option of ['maxMessageSize', 'maxClients', 'handshakeTimeout']) {
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

test('the longest names are served, also those that take more room as JSON', async t => {
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
    const welcome = peer.greet('peer', { session: 's'.repeat(length) })
    return Promise.race([welcome.then(({ command }) => command), peer.end().then(() => 'ended')])
  }
  assert.equal(await greet(129), 'ended')
  assert.equal(await greet(128), 'handshake')
})
