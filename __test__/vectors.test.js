'use strict'

/** The examples of docs/protocol.md, against an implementation that was written from it alone. */

const assert = require('node:assert/strict')
const test = require('node:test')
const vectors = require('../docs/protocol-vectors.json')
const { Domain } = require('./support/domain.js')
const { Splitter } = require('./support/legacy-framing.js')
const { KIND, RawPeer, frameOf } = require('./support/raw-peer.js')

test('a frame is written as the vectors say', () => {
  for (const { title, kind, frame, ...fields } of vectors.frames) {
    const payload = Buffer.from(fields.payload, 'hex')
    const extension = Buffer.from(fields.extension ?? '', 'hex')
    assert.equal(frameOf(kind, { ...fields, extension, payload }).toString('hex'), frame, title)
  }
})

test('each handshake is one message of protocol 1 with a field more', () => {
  for (const { title, text } of vectors.handshakes) {
    assert.deepEqual(new Splitter().push(Buffer.from(text)), [text], title)
    assert.equal(JSON.parse(text).ipcio.version, 3, title)
  }
})

test('a frame that the vectors call invalid costs its connection', async t => {
  const domain = new Domain(t)
  domain.server({ order: ({ data }) => data })
  const witness = await domain.client('witness')
  for (const { title, frame } of vectors.invalid) {
    const peer = new RawPeer(domain.path)
    domain.defer(() => peer.close())
    await peer.handshake(title)
    peer.write(Buffer.from(frame, 'hex'))
    await peer.end().catch(late => assert.fail(`${title}: ${late.message}`))
    assert.equal(await witness.deliver('order', title), title)
  }
})

test('a handshake as in the vectors is answered as in the vectors', async t => {
  const domain = new Domain(t)
  domain.server()
  const hello = JSON.parse(vectors.handshakes[0].text)
  const expected = JSON.parse(vectors.handshakes[1].text)
  const peer = new RawPeer(domain.path)
  domain.defer(() => peer.close())
  const welcome = await peer.handshake(hello.data, hello.ipcio)
  assert.deepEqual(Object.keys(welcome), Object.keys(expected))
  assert.deepEqual(Object.keys(welcome.ipcio), Object.keys(expected.ipcio))
  const { version, resumed, received, limit } = expected.ipcio
  assert.deepEqual([welcome.id, welcome.command], [expected.id, expected.command])
  assert.deepEqual({ version, resumed, received, limit, server: welcome.ipcio.server }, welcome.ipcio)
  peer.send(KIND.GOODBYE)
})
