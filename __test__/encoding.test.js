'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { Client, Server } = require('..')
const { Domain } = require('./support/domain.js')

const KNOWN = [
  'utf8',
  'utf-8',
  'ucs2',
  'ucs-2',
  'utf16le',
  'utf-16le',
  'latin1',
  'binary',
  'base64',
  'base64url',
  'hex',
  'ascii',
]
const TEXT = 'aé€💥 \ud800 }{ "\u2028"'

test('text arrives intact with any encoding', async t => {
  for (const encoding of [...KNOWN, ...KNOWN.map(name => name.toUpperCase())]) {
    assert.ok(Buffer.isEncoding(encoding), encoding)
    const domain = new Domain(t)
    domain.server({ echo: ({ data }) => data }, { encoding })
    const alice = await domain.client('alice', { echo: ({ data }) => data }, { encoding })
    assert.equal(await alice.deliver('echo', TEXT), TEXT, encoding)
    assert.equal(await alice.deliver('alice', 'echo', TEXT), TEXT, encoding)
  }
})

test('server and client may name different encodings', async t => {
  const domain = new Domain(t)
  domain.server({ echo: ({ data }) => data }, { encoding: 'latin1' })
  const alice = await domain.client('alice', null, { encoding: 'utf16le' })
  assert.equal(await alice.deliver('echo', TEXT), TEXT)
})

test('an encoding that Node does not know throws', () => {
  for (const encoding of ['klingon', '', 'utf-32', 8, {}]) {
    const refusal = { name: /Error$/, code: 'ERR_IPC_INVALID_ARGUMENT' }
    assert.throws(() => new Server({ encoding }), refusal, String(encoding))
    assert.throws(() => new Client({ encoding }), refusal, String(encoding))
  }
})
