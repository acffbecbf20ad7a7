'use strict'

/** Who may connect to whom. Only root can be two users, so only root runs the tests with two of them. */

const assert = require('node:assert/strict')
const fs = require('node:fs')
const test = require('node:test')
const { eventOf, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const OTHER = 65534
const THIRD = 65533

const asUser = uid => ({ env: { BECOME_USER: String(uid) } })

test('a server with allowUsers still takes its own user', async t => {
  for (const allowUsers of [[], [OTHER], 'any']) {
    const domain = new Domain(t)
    domain.server({ echo: ({ data }) => data }, { allowUsers })
    const alice = await domain.client('alice', null, { allowUsers })
    assert.equal(await alice.deliver('echo', 1), 1)
  }
})

const asRoot = process.getuid?.() === 0 ? test : () => {}

asRoot('a client of another user cannot reach a server for its own user', async t => {
  const domain = new Domain(t)
  domain.server()
  const child = domain.spawn('raw-client.js', ['alice'], asUser(OTHER))
  assert.deepEqual(await child.report('ended'), { error: 'EACCES', text: '' })
})

asRoot('a client of another user is refused, even if the file lets it in', async t => {
  const domain = new Domain(t)
  const server = domain.server({ echo: ({ data }) => data }, { mode: 0o666 })
  server.on('connection', ({ name }) => assert.equal(name, 'alice'))
  const raw = domain.spawn('raw-client.js', ['mallory'], asUser(OTHER))
  const { text } = await raw.report('ended')
  assert.doesNotMatch(text, /handshake/)
  const ours = domain.spawn('client.js', ['mallory'], asUser(OTHER))
  const refused = await ours.report('refused')
  assert.equal(refused.code, 'ERR_IPC_NOT_TRUSTED')
  const alice = await domain.client('alice')
  assert.deepEqual((await alice.discover()).clients, ['alice'])
})

for (const allowUsers of [[OTHER], 'any']) {
  asRoot(`a client of another user is served where allowUsers is ${JSON.stringify(allowUsers)}`, async t => {
    const domain = new Domain(t)
    const server = domain.server(null, { mode: 0o666, allowUsers })
    const connected = eventOf(server, 'connection')
    domain.spawn('client.js', ['bob'], asUser(OTHER))
    assert.equal((await connected).name, 'bob')
    const alice = await domain.client('alice')
    assert.equal(await alice.deliver('bob', 'echo', 'served'), 'served')
  })
}

asRoot('one user that is allowed does not let in another', async t => {
  const domain = new Domain(t)
  const server = domain.server(null, { mode: 0o666, allowUsers: [OTHER] })
  const child = domain.spawn('client.js', ['mallory'], asUser(THIRD))
  assert.equal((await child.report('refused')).code, 'ERR_IPC_NOT_TRUSTED')
  const alice = await domain.client('alice')
  assert.deepEqual((await alice.discover()).clients, ['alice'])
  assert.equal(server.isStarted(), true)
})

asRoot('an old client of another user is refused on the private socket, too', async t => {
  const domain = new Domain(t)
  const server = domain.server(null, { mode: 0o666, allowUsers: [OTHER] })
  const old = domain.spawn('raw-client.js', ['old'], asUser(OTHER))
  const uuid = (await old.report('answered')).data
  const path = `${domain.path}.${uuid}`
  const thief = domain.spawn('raw-client.js', ['thief', path], asUser(THIRD))
  const { text } = await thief.report('ended')
  assert.equal(text, '')
  const alice = await domain.client('alice')
  assert.deepEqual((await alice.discover()).clients, ['alice'])
  assert.equal(server.isStarted(), true)
  await old.kill()
})

asRoot('a server of another user is not trusted', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('trusting-server.js', [], asUser(OTHER))
  await child.report('listening')
  const alice = domain.idleClient('alice')
  await assert.rejects(within(alice.connect(), 'the rejection'), {
    name: 'Error',
    code: 'ERR_IPC_NOT_TRUSTED',
  })
  assert.deepEqual([alice.isStarted(), alice.isConnected()], [false, false])
  const allowing = domain.idleClient('allowing', null, { allowUsers: [THIRD] })
  await assert.rejects(within(allowing.connect(), 'the rejection'), { code: 'ERR_IPC_NOT_TRUSTED' })
})

for (const allowUsers of [[OTHER], 'any']) {
  asRoot(`a server of another user is trusted where allowUsers is ${JSON.stringify(allowUsers)}`, async t => {
    const domain = new Domain(t)
    const child = domain.spawn('trusting-server.js', [], asUser(OTHER))
    await child.report('listening')
    const alice = await domain.client('alice', null, { allowUsers })
    assert.equal(await alice.deliver('who'), OTHER)
  })
}

asRoot('every user trusts root', async t => {
  const domain = new Domain(t)
  domain.server(null, { mode: 0o666, allowUsers: [OTHER] })
  const child = domain.spawn('client.js', ['bob'], asUser(OTHER))
  await child.report('connected')
})

asRoot('a socket that another user left behind is not removed', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('trusting-server.js', [], asUser(OTHER))
  await child.report('listening')
  await child.kill()
  const { ino } = fs.statSync(domain.path)
  assert.throws(() => domain.idleServer().start(), { name: 'Error', code: 'EACCES' })
  assert.equal(fs.statSync(domain.path).ino, ino)
  domain.defer(() => fs.rmSync(domain.path))
})

asRoot('a socket that root left behind is not removed by another user', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('trusting-server.js')
  await child.report('listening')
  await child.kill()
  const { ino } = fs.statSync(domain.path)
  const other = domain.spawn('trusting-server.js', [], asUser(OTHER))
  assert.match(await other.report('failed'), /^(EACCES|EPERM)$/)
  assert.equal(fs.statSync(domain.path).ino, ino)
  domain.defer(() => fs.rmSync(domain.path))
})

asRoot('a live server of another user is left alone', async t => {
  const domain = new Domain(t)
  domain.server({ who: () => 'root' })
  const other = domain.spawn('trusting-server.js', [], asUser(OTHER))
  assert.match(await other.report('failed'), /^(EADDRINUSE|EACCES|EPERM)$/)
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('who'), 'root')
})
