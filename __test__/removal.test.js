'use strict'

/** A server whose files are removed, as cleaners of /tmp do, or replaced by others. */

const assert = require('node:assert/strict')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { eventOf, until, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const who = name => ({ who: () => name })

/** A server that is named, and what it told of its socket since. */
function watched(domain) {
  const server = domain.server(who('ours'))
  const told = []
  for (const event of ['relistened', 'displaced']) server.on(event, at => told.push([event, at]))
  return { server, told }
}

test('a server whose socket is removed creates it again and emits an event', async t => {
  const domain = new Domain(t)
  const { server, told } = watched(domain)
  const alice = await domain.client('alice')
  for (let round = 0; round < 3; round++) {
    fs.rmSync(domain.path)
    await eventOf(server, 'relistened')
    assert.equal(fs.statSync(domain.path).mode & 0o777, 0o600)
    const bob = await domain.client(`bob ${round}`)
    assert.equal(await bob.deliver('who'), 'ours')
    assert.equal(await alice.deliver('who'), 'ours')
  }
  assert.equal((await alice.discover()).clients.length, 4)
  assert.deepEqual(told, Array(3).fill(['relistened', domain.path]))
  await server.close()
  assert.deepEqual([domain.files(), domain.locks()], [[], []])
})

test('while the socket is gone, no second server starts', async t => {
  const domain = new Domain(t)
  const { server } = watched(domain)
  fs.rmSync(domain.path)
  assert.throws(() => domain.idleServer().start(), { code: 'EADDRINUSE' })
  await eventOf(server, 'relistened')
  assert.throws(() => domain.idleServer().start(), { code: 'EADDRINUSE' })
})

test('clients that try to connect are connected once the socket is there', async t => {
  const domain = new Domain(t)
  watched(domain)
  fs.rmSync(domain.path)
  const clients = await Promise.all(['a', 'b', 'c'].map(name => domain.client(name)))
  assert.deepEqual(await Promise.all(clients.map(client => client.deliver('who'))), Array(3).fill('ours'))
})

test('a server whose lock is removed holds another one', async t => {
  const domain = new Domain(t)
  const { told } = watched(domain)
  const [lock] = domain.locks()
  const { ino } = fs.statSync(lock)
  fs.renameSync(lock, `${lock}.moved`)
  await until(() => fs.existsSync(lock), 'there is a lock again')
  assert.notEqual(fs.statSync(lock).ino, ino)
  fs.rmSync(`${lock}.moved`)
  fs.rmSync(lock)
  fs.rmSync(domain.path)
  await until(() => fs.existsSync(lock) && fs.existsSync(domain.path), 'both are there again')
  assert.throws(() => domain.idleServer().start(), { code: 'EADDRINUSE' })
  await until(() => told.length === 1, 'it has told of the socket')
})

test('a server of 0.6.2 that takes the path has it until it leaves', async t => {
  const domain = new Domain(t)
  const { server, told } = watched(domain)
  const alice = await domain.client('alice')
  const displaced = eventOf(server, 'displaced')
  const old = await domain.legacyServer(who('theirs'))
  assert.equal(await displaced, domain.path)
  await sleep(1500)
  const bob = domain.idleLegacyClient('bob')
  await within(bob.connect(), 'bob to connect')
  await until(() => old.clients.includes('bob'), 'the old server serves')
  assert.equal(await alice.deliver('who'), 'ours')
  assert.deepEqual(told, [['displaced', domain.path]])
  await bob.close()
  await old.close()
  await until(() => told.length === 2, 'it has the path again')
  assert.deepEqual(told[1], ['relistened', domain.path])
  assert.equal(await (await domain.client('carol')).deliver('who'), 'ours')
})

test('a file that is no socket is left alone, and the server listens again when it is gone', async t => {
  const domain = new Domain(t)
  const { server, told } = watched(domain)
  fs.writeFileSync(`${domain.path}.new`, 'precious')
  fs.renameSync(`${domain.path}.new`, domain.path)
  await eventOf(server, 'displaced')
  assert.equal(fs.readFileSync(domain.path, 'utf8'), 'precious')
  fs.rmSync(domain.path)
  await eventOf(server, 'relistened')
  assert.deepEqual(
    told.map(([event]) => event),
    ['displaced', 'relistened'],
  )
})

test('a socket that a killed server left in its place is replaced', async t => {
  const domain = new Domain(t)
  const other = new Domain(t)
  const child = other.spawn('logging-server.js')
  await child.report('listening')
  await child.kill()
  const { server } = watched(domain)
  fs.renameSync(other.path, domain.path)
  await eventOf(server, 'relistened')
  assert.equal(await (await domain.client('alice')).deliver('who'), 'ours')
})

test('a closed server does not create its socket again', async t => {
  const domain = new Domain(t)
  const { server, told } = watched(domain)
  fs.rmSync(domain.path)
  await within(server.close(), 'close()')
  await sleep(300)
  assert.deepEqual([domain.files(), domain.locks(), told], [[], [], []])
})

const asRoot = process.getuid?.() === 0 ? test : () => {}

asRoot('where the system tells of no changes, a look each second finds them', async t => {
  const domain = new Domain(t)
  // A user that may not read a file gets no notices about it.
  const options = JSON.stringify({ mode: 0o222 })
  const child = domain.spawn('trusting-server.js', [options], { env: { BECOME_USER: '65534' } })
  await child.report('listening')
  fs.rmSync(domain.path)
  const alice = await domain.client('alice', null, { allowUsers: 'any' })
  assert.equal(await alice.deliver('who'), 65534)
  assert.equal(path.basename(path.dirname(domain.locks()[0])), '.IPC.io-65534')
})
