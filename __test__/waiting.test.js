'use strict'

/** A client that waits says why, and notices when it need not wait any longer. */

const assert = require('node:assert/strict')
const fs = require('node:fs')
const net = require('node:net')
const test = require('node:test')
const { eventOf, until, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const OTHER = 65534
const asRoot = process.getuid?.() === 0 ? test : () => {}

/** A client that is not connected, and the codes of what it waits for. */
function waiting(domain, options) {
  const client = domain.idleClient('alice', null, options)
  const codes = []
  client.on('waiting', ({ path, reason }) => {
    assert.equal(path, domain.path)
    assert.ok(reason instanceof Error && reason.message.endsWith('.'), reason.message)
    codes.push(reason.code)
  })
  return { client, codes }
}

/** Another program than ipcio's server accepts the connections. Returns the function that ends it. */
async function listens(domain, onConnection) {
  const sockets = new Set()
  const server = net.createServer(socket => {
    sockets.add(socket.on('error', () => {}))
    onConnection(socket)
  })
  server.listen(domain.path)
  await eventOf(server, 'listening')
  const close = () => {
    for (const socket of sockets) socket.destroy()
    return new Promise(resolve => server.close(resolve))
  }
  domain.defer(close)
  return close
}

test('a client says that there is no server, once', async t => {
  const domain = new Domain(t)
  const { client, codes } = waiting(domain)
  const connecting = client.connect()
  await until(() => codes.length === 1, 'it says so')
  // Other attempts follow within a second.
  await new Promise(resolve => setTimeout(resolve, 300))
  assert.deepEqual(codes, ['ENOENT'])
  domain.server()
  await within(connecting, 'the connection')
})

test('clients that wait share one instance of inotify, of which the system has few', async t => {
  const domain = new Domain(t)
  const clients = Array.from({ length: 50 }, (_, index) => domain.idleClient(`client-${index}`))
  const before = notices()
  const connecting = clients.map(client => client.connect())
  await Promise.all(clients.map(client => eventOf(client, 'waiting')))
  assert.ok(notices() <= before + 1, `${before} before, ${notices()} now`)
  domain.server()
  await within(Promise.all(connecting), 'the connections')
})

/** How many instances of inotify this process has. */
function notices() {
  if (process.platform !== 'linux') return 0
  const links = fs.readdirSync('/proc/self/fd').map(fd => {
    // The folder's own descriptor is closed by now.
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return links.filter(link => link.includes('inotify')).length
}

test('it says so again when the reason changes, and when it loses its server', async t => {
  const domain = new Domain(t)
  const { client, codes } = waiting(domain)
  const connecting = client.connect()
  await until(() => codes.length === 1, 'there is no socket')
  const child = domain.spawn('counting-server.js', ['/dev/null'])
  await within(connecting, 'the connection')
  await child.kill()
  await until(() => codes.length >= 2, 'the reason that nothing listens')
  assert.deepEqual(codes.slice(0, 2), ['ENOENT', 'ECONNREFUSED'])
})

test('a server that does not answer the handshake is reported', async t => {
  const domain = new Domain(t)
  await listens(domain, () => {})
  const { client, codes } = waiting(domain)
  const connecting = client.connect().catch(error => error.code)
  await until(() => codes.length > 0, 'it says so')
  assert.deepEqual(codes, ['ERR_IPC_TIMEOUT'])
  await within(client.close(), 'the client to close')
  assert.equal(await connecting, 'ERR_IPC_CLOSED')
})

test('so is one that ends the connection, or speaks another protocol', async t => {
  for (const [answer, code] of [
    [socket => socket.end(), 'ECONNRESET'],
    [socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 'EPROTO'],
  ]) {
    const domain = new Domain(t)
    await listens(domain, answer)
    const { client, codes } = waiting(domain)
    client.connect().catch(() => {})
    await until(() => codes.length > 0, 'it says so')
    assert.equal(codes[0], code)
    await within(client.close(), 'the client to close')
  }
})

test('a client whose name was taken while it was away says so, and comes back when that is free', async t => {
  const domain = new Domain(t)
  const server = domain.idleServer().start()
  const { client, codes } = waiting(domain)
  await within(client.connect(), 'the connection')
  await within(server.close(), 'the server to close')
  await until(() => codes.length > 0, 'it has lost its server')
  // What a server says where another client has the name.
  const refusal = JSON.stringify({ id: null, command: 'error', data: 201, delivery: null })
  const close = await listens(domain, socket => socket.write(refusal))
  await until(() => codes.at(-1) === 'ERR_IPC_NAME_TAKEN', 'it says so')
  await close()
  server.start()
  await until(() => client.isConnected(), 'it is back')
})

asRoot('a client that may not use the socket does not wait for it', async t => {
  const domain = new Domain(t)
  domain.server()
  const child = domain.spawn('client.js', ['mallory'], { env: { BECOME_USER: String(OTHER) } })
  const { code, message } = await child.report('refused')
  assert.equal(code, 'EACCES')
  assert.ok(message.includes(domain.path) && message.includes('mode'), message)
})

test('verbose says what it waits for', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('client.js', ['alice', '{"verbose":true}'])
  await until(() => /CLIENT WAITS/.test(child.stdout + child.stderr), 'it says so')
  assert.match(child.stdout + child.stderr, new RegExp(`No server listens at ${domain.path}`))
})
