'use strict'

/** Peers of protocols 2 and 3 in one domain: each is spoken to as it speaks. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')
const { FLAG, KIND, RawPeer } = require('./support/raw-peer.js')

/** Two entries, with unknown tags. */
const EXTENSION = '0108000068e5cf8b010000ff0000'

async function open(t) {
  const domain = new Domain(t)
  const words = new Inbox()
  const server = domain.server({ word: words.takeData, echo: ({ data }) => data })
  const peer = async (name, version) => {
    const raw = new RawPeer(domain.path)
    domain.defer(() => raw.close())
    const welcome = await raw.handshake(name, { version })
    return { raw, version: welcome.ipcio.version }
  }
  return { domain, server, words, peer }
}

test('the lower version of both is spoken', async t => {
  const { peer } = await open(t)
  for (const [version, expected] of [
    [2, 2],
    [3, 3],
    [4, 3],
    [1_000, 3],
  ]) {
    assert.equal((await peer(`speaks ${version}`, version)).version, expected)
  }
})

for (const sender of [2, 3]) {
  for (const receiver of [2, 3]) {
    test(`a peer of protocol ${sender} talks with one of protocol ${receiver}`, async t => {
      const { peer, server, words } = await open(t)
      const [from, to] = [await peer('from', sender), await peer('to', receiver)]
      const extension = sender >= 3 ? Buffer.from(EXTENSION, 'hex') : ''
      // In protocol 2 the flag has no meaning.
      const flags = FLAG.EXTENDED
      const message = sender >= 3 ? { extension } : {}
      from.raw.send(KIND.EMIT, { ...message, flags, name: 'to', command: 'word', payload: '"emitted"' })
      from.raw.send(KIND.BROADCAST, { ...message, flags, command: 'word', payload: '"to all"' })
      from.raw.send(KIND.REQUEST, {
        ...message,
        flags,
        id: 7,
        name: 'to',
        command: 'ask',
        payload: '"asked"',
      })
      from.raw.send(KIND.SEND, { ...message, flags, command: 'word', payload: '"to the server"' })
      const frames = (await to.raw.frames.first(3)).map(({ kind, flags, name, extension, payload }) => {
        return { kind, flags, name, extension, payload }
      })
      const passed = sender >= 3 && receiver >= 3
      const common = { flags: passed ? FLAG.EXTENDED : 0, name: 'from', extension: passed ? EXTENSION : '' }
      assert.deepEqual(frames, [
        { kind: KIND.EMIT, ...common, payload: '"emitted"' },
        { kind: KIND.BROADCAST, ...common, payload: '"to all"' },
        { kind: KIND.REQUEST, ...common, payload: '"asked"' },
      ])
      assert.deepEqual(await words.first(1), ['to the server'])
      server.emit('to', 'word', 'from the server')
      assert.equal((await to.raw.frames.first(4))[3].payload, '"from the server"')
    })
  }
}

test('an extension block takes no room of the payload', async t => {
  const { domain, words, peer } = await open(t)
  const { raw } = await peer('peer', 3)
  await domain.client('witness', { word: words.takeData })
  const extension = Buffer.concat([Buffer.from([9, 0xf0, 0xff]), Buffer.alloc(0xfff0)])
  const payload = JSON.stringify('x'.repeat(300_000))
  raw.send(KIND.SEND, { flags: FLAG.EXTENDED, extension, command: 'word', payload })
  raw.send(KIND.EMIT, { flags: FLAG.EXTENDED, extension, name: 'witness', command: 'word', payload })
  assert.deepEqual(await words.first(2), [JSON.parse(payload), JSON.parse(payload)])
})

test('what only a server of protocol 3 says ends the connection of a client', async t => {
  const { peer } = await open(t)
  for (const version of [2, 3]) {
    for (const kind of [KIND.HELD, KIND.RELEASED]) {
      const { raw } = await peer(`says ${kind} in ${version}`, version)
      raw.send(kind, { id: 1 })
      await raw.end()
    }
  }
})
