'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const test = require('node:test')
const { Client, Server } = require('..')
const { turns, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

/** Leaves a socket behind on which nothing listens, as a killed server does. */
async function leaveStale(path) {
  const listener = net.createServer()
  await new Promise(resolve => listener.listen(`${path}.there`, resolve))
  fs.renameSync(`${path}.there`, path)
  await new Promise(resolve => listener.close(resolve))
  assert.ok(fs.statSync(path).isSocket())
}

test('of two servers that start at the same moment on a stale socket one starts, 200 times', async t => {
  const home = new Domain(t)
  const servers = [home.spawn('starting-server.js'), home.spawn('starting-server.js')]
  for (const server of servers) await server.report('ready')
  for (let round = 0; round < 200; round++) {
    const domain = new Domain(t)
    await leaveStale(domain.path)
    for (const server of servers) server.tell(`start ${domain.name} ${Date.now() + 4}`)
    const outcomes = await Promise.all(servers.map(server => server.report('outcome')))
    assert.deepEqual([...outcomes].sort(), ['EADDRINUSE', 'started'], `round ${round}`)
    const winner = servers[outcomes.indexOf('started')]
    const clients = [await domain.client('alice'), await domain.client('bob')]
    for (const client of clients) {
      assert.equal(await within(client.deliver('who'), 'the winner'), winner.pid)
      await client.close()
    }
    winner.tell('stop')
    await winner.report('stopped')
  }
})

test('a second server on a domain throws EADDRINUSE, and the first one goes on', async t => {
  const domain = new Domain(t)
  const first = domain.server({ who: () => 'the first' })
  const second = domain.idleServer({ who: () => 'the second' })
  assert.throws(() => second.start(), { name: 'Error', code: 'EADDRINUSE' })
  assert.equal(second.isStarted(), false)
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('who'), 'the first')
  await first.close()
  second.start()
  assert.equal(await within(alice.deliver('who'), 'the second'), 'the second')
})

test('a server whose JavaScript is busy is not taken for dead', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('busy-server.js')
  await child.report('busy')
  assert.throws(() => domain.idleServer().start(), { code: 'EADDRINUSE' })
  child.tell('done')
})

test('the socket that a killed server left behind is taken over', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('logging-server.js')
  await child.report('listening')
  await child.kill()
  assert.ok(fs.statSync(domain.path).isSocket())
  domain.server({ who: () => 'the next' })
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('who'), 'the next')
})

const others = {
  'a regular file': {
    make: path => fs.writeFileSync(path, 'precious'),
    check: path => assert.equal(fs.readFileSync(path, 'utf8'), 'precious'),
  },
  'a folder': {
    make: path => fs.mkdirSync(path),
    check: path => assert.ok(fs.statSync(path).isDirectory()),
  },
  'a link to a file': {
    make: path => fs.symlinkSync('/dev/null', path),
    check: path => assert.equal(fs.readlinkSync(path), '/dev/null'),
  },
  'a link to nothing': {
    make: path => fs.symlinkSync('/nonexistent/target', path),
    check: path => assert.equal(fs.readlinkSync(path), '/nonexistent/target'),
  },
}

for (const [what, { make, check }] of Object.entries(others)) {
  test(`${what} at the path of the socket is left alone`, async t => {
    const domain = new Domain(t)
    make(domain.path)
    domain.defer(() => fs.rmSync(domain.path, { recursive: true, force: true }))
    const server = domain.idleServer()
    assert.throws(() => server.start(), { name: 'Error', code: 'ERR_IPC_NOT_A_SOCKET' })
    check(domain.path)
    assert.equal(server.isStarted(), false)
    await within(server.close(), 'close()')
    check(domain.path)
  })
}

test('a server that is closed does not remove a file that took its path', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  fs.rmSync(domain.path)
  fs.writeFileSync(domain.path, 'precious')
  domain.defer(() => fs.rmSync(domain.path, { force: true }))
  await server.close()
  assert.equal(fs.readFileSync(domain.path, 'utf8'), 'precious')
})

test('names that no socket can have are refused', async () => {
  for (const domain of ['', 'a/b', '/', '../etc', 'a\0b', 'x'.repeat(59), 'é'.repeat(30)]) {
    const refusal = { name: /Error$/, code: 'ERR_IPC_DOMAIN' }
    assert.throws(() => new Server({ domain }).start(), refusal, JSON.stringify(domain))
    assert.throws(() => new Client({ domain }).connect(), refusal, JSON.stringify(domain))
  }
})

test('any other name is valid for a domain', async t => {
  const own = new Domain(t).name
  const names = [' ', '.', '..', '💥', 'a b', "it's", '"', '-', own.padEnd(58, 'x')]
  for (const name of names) {
    const domain = new Domain(t)
    domain.name = name.length === 58 ? name : `${name}${own}`
    domain.path = `/tmp/IPC.io.${domain.name}`
    const server = domain.server({ echo: ({ data }) => data })
    assert.equal(server.domain, domain.name)
    assert.equal(server.address(), domain.path)
    const alice = await domain.client('alice')
    assert.equal(await alice.deliver('echo', 'reached'), 'reached')
    const old = await domain.legacyClient('old')
    assert.equal(await old.deliver('echo', 'reached'), 'reached')
  }
})

test('a server that has failed to start may be started later', async t => {
  const domain = new Domain(t)
  fs.writeFileSync(domain.path, '')
  const server = domain.idleServer({ echo: ({ data }) => data })
  assert.throws(() => server.start(), { code: 'ERR_IPC_NOT_A_SOCKET' })
  fs.rmSync(domain.path)
  server.start()
  await turns(1)
  assert.equal(await (await domain.client('alice')).deliver('echo', 1), 1)
})
