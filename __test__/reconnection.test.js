'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { eventOf, turns, until, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const sequence = count => Array.from({ length: count }, (_, number) => number)

/** Messages that may wait at once while there is no connection. */
const WINDOW = 5_000

/** Calls `send` with 0, 1, 2… in small batches until `stop()`; that resolves to what was returned. */
function pour(t, send) {
  const sent = []
  let pouring = true
  // Also where the test fails before it stops it.
  t.after(() => {
    pouring = false
  })
  const done = (async () => {
    while (pouring) {
      for (let round = 0; round < 10; round++) sent.push(send(sent.length))
      if (sent.length > WINDOW) await Promise.race([sent.at(-WINDOW), until(() => !pouring, 'the end')])
      await turns(1)
    }
  })()
  return {
    sent,
    async stop() {
      pouring = false
      await done
      return within(Promise.all(sent), 'everything sent to settle')
    },
  }
}

test('a server that closes and starts again in its process gets every message exactly once', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server({ word: inbox.takeData })
  const clients = [await domain.client('alice'), await domain.client('bob')]
  const streams = clients.map(client =>
    pour(t, number => {
      const data = [client.name, number]
      return number % 3 ? client.send('word', data) : client.deliver('word', data)
    }),
  )
  for (let round = 0; round < 5; round++) {
    const before = inbox.all.length
    await inbox.first(before + 200)
    await within(server.close(), 'close()')
    await turns(round * 5)
    server.start()
  }
  for (const [index, { name }] of clients.entries()) {
    await streams[index].stop()
    const got = inbox.all.filter(([sender]) => sender === name).map(([, number]) => number)
    assert.deepEqual(got, sequence(streams[index].sent.length))
  }
})

test('a connection that breaks again and again costs no message in either direction', async t => {
  const domain = new Domain(t)
  const [atServer, atAlice] = [new Inbox(), new Inbox()]
  let socket
  const server = domain.server({
    word(container) {
      socket = container.socket
      atServer.take(container.data)
    },
  })
  const alice = await domain.client('alice', { word: atAlice.takeData })
  const up = pour(t, number => (number % 3 ? alice.send('word', number) : alice.deliver('word', number)))
  const down = pour(t, number =>
    number % 2 ? server.emit('alice', 'word', number) : server.broadcast('word', number),
  )
  for (let round = 0; round < 20; round++) {
    await atServer.first(atServer.all.length + 50)
    const back = eventOf(alice, 'connect')
    if (round % 2) socket.end()
    else socket.destroy()
    await back
  }
  await up.stop()
  await down.stop()
  assert.deepEqual(atServer.all, sequence(up.sent.length))
  assert.deepEqual(await atAlice.first(down.sent.length), sequence(down.sent.length))
})

test('what is sent to a client while its connection is broken waits for it', async t => {
  const domain = new Domain(t)
  const inbox = new Inbox()
  const server = domain.server({ part: ({ socket }) => socket.destroy() })
  const alice = await domain.client('alice', { word: inbox.takeData, echo: ({ data }) => data })
  const bob = await domain.client('bob')
  const gone = eventOf(server, 'disconnection')
  const back = eventOf(alice, 'connect')
  alice.send('part')
  await gone
  server.emit('alice', 'word', 'emit').broadcast('word', 'broadcast')
  const sent = [bob.emit('alice', 'word', 'of bob'), bob.deliver('alice', 'echo', 'asked')]
  await back
  const [, answer] = await within(Promise.all(sent), 'what bob has sent')
  assert.equal(answer, 'asked')
  assert.deepEqual(await inbox.first(3), ['emit', 'broadcast', 'of bob'])
})

test('a handler whose connection breaks is not called again, and its answer still arrives', async t => {
  const domain = new Domain(t)
  const called = new Inbox()
  let answer
  domain.server({
    slow(container) {
      called.take(container)
      return new Promise(resolve => {
        answer = resolve
      })
    },
  })
  const alice = await domain.client('alice')
  const delivery = alice.deliver('slow')
  const [{ socket }] = await called.first(1)
  const back = eventOf(alice, 'connect')
  socket.destroy()
  await back
  answer('at last')
  assert.equal(await within(delivery, 'the answer'), 'at last')
  assert.equal(called.all.length, 1)
})

test('the uuid of a client stays over a broken connection', async t => {
  const domain = new Domain(t)
  domain.server({ part: ({ socket }) => socket.destroy(), who: ({ uuid }) => uuid })
  const alice = await domain.client('alice')
  const { uuid } = alice
  const back = eventOf(alice, 'connect')
  alice.send('part')
  await back
  assert.equal(alice.uuid, uuid)
  assert.equal(await alice.deliver('who'), uuid)
})

test('a server that is closed and started in another process gets everything, in order', async t => {
  const domain = new Domain(t)
  const start = async () => {
    const child = domain.spawn('logging-server.js')
    await child.report('listening')
    return child
  }
  let child = await start()
  const alice = await domain.client('alice')
  let seen = []
  const stream = pour(t, number => (number % 3 ? alice.send('tell', number) : alice.deliver('tell', number)))
  for (let round = 0; round < 3; round++) {
    const goal = stream.sent.length + 100
    await until(() => stream.sent.length > goal, 'more was sent')
    child.tell('close')
    seen = seen.concat(await child.report('log'))
    assert.deepEqual(await child.end(), { code: 0, signal: null })
    child = await start()
  }
  await stream.stop()
  child.tell('close')
  seen = seen.concat(await child.report('log'))
  const first = seen.filter(({ redelivered }) => !redelivered).map(({ data }) => data)
  assert.equal(new Set(first).size, first.length, 'unmarked duplicates')
  const firstSeen = [...new Set(seen.map(({ data }) => data))]
  assert.deepEqual(firstSeen, sequence(stream.sent.length))
})

test('what a killed server may have handled is marked redelivered, and nothing else is', async t => {
  const domain = new Domain(t)
  const first = domain.spawn('logging-server.js')
  await first.report('listening')
  const alice = await domain.client('alice')
  await alice.send('tell', 'acknowledged')
  const delivery = alice.deliver('hang', 'unanswered')
  assert.deepEqual(await first.report('hanging'), { data: 'unanswered', redelivered: false })
  const gone = eventOf(alice, 'disconnect')
  await first.kill()
  await gone
  const later = alice.deliver('tell', 'sent while it was away')
  const second = domain.spawn('logging-server.js', ['answer'])
  await second.report('listening')
  assert.equal(await within(delivery, 'the answer'), 'unanswered')
  assert.equal(await within(later, 'the answer'), 'sent while it was away')
  second.tell('close')
  assert.deepEqual(await second.report('log'), [
    { name: 'alice', data: 'unanswered', redelivered: true },
    { name: 'alice', data: 'sent while it was away', redelivered: false },
  ])
})

test('clients find each other again at a new server', async t => {
  const domain = new Domain(t)
  const first = domain.spawn('logging-server.js')
  await first.report('listening')
  const alice = await domain.client('alice', { echo: ({ data }) => `alice ${data}` })
  const bob = await domain.client('bob', { echo: ({ data }) => `bob ${data}` })
  assert.equal(await alice.deliver('bob', 'echo', 1), 'bob 1')
  const gone = [eventOf(alice, 'disconnect'), eventOf(bob, 'disconnect')]
  await first.kill()
  await Promise.all(gone)
  const asked = [alice.deliver('bob', 'echo', 2), bob.deliver('alice', 'echo', 3)]
  domain.server()
  assert.deepEqual(await within(Promise.all(asked), 'the answers'), ['bob 2', 'alice 3'])
  assert.deepEqual((await alice.discover()).clients.sort(), ['alice', 'bob'])
})

test('a client that is killed and starts again under its name gets what waits for it', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const alice = await domain.client('alice')
  const first = domain.spawn('client.js', ['worker'])
  await first.report('connected')
  const gone = eventOf(server, 'disconnection')
  await first.kill()
  await gone
  const delivery = alice.deliver('worker', 'echo', 'asked while it was away')
  const settled = Promise.allSettled([delivery])
  for (let number = 0; number < 10; number++) server.emit('worker', 'word', number)
  const second = domain.spawn('client.js', ['worker'])
  const got = []
  for (let number = 0; number < 10; number++) got.push(await second.report('word'))
  assert.deepEqual(got, sequence(10))
  // The new process is another client: it may be asked, or the old one may be reported as gone.
  const [{ value, reason }] = await within(settled, 'the delivery')
  if (reason) assert.match(reason.code, /^ERR_IPC_(CLIENT_LEFT|NO_SUCH_CLIENT)$/)
  else assert.equal(value, 'asked while it was away')
})

test('a client waits while the socket of a killed server is left behind', async t => {
  const domain = new Domain(t)
  const first = domain.spawn('logging-server.js')
  await first.report('listening')
  await first.kill()
  assert.deepEqual(domain.files(), [`IPC.io.${domain.name}`])
  const alice = domain.idleClient('alice')
  const connecting = alice.connect()
  await turns(50)
  domain.server({ echo: ({ data }) => data })
  await within(connecting, 'connect()')
  assert.equal(await alice.deliver('echo', 'found'), 'found')
})

test('a client whose name was taken while it was away keeps trying', async t => {
  const domain = new Domain(t)
  const server = domain.server({ who: ({ uuid }) => uuid })
  const alice = await domain.client('alice')
  const gone = eventOf(alice, 'disconnect')
  await server.close()
  await gone
  const rival = domain.idleClient('alice')
  const outcome = rival.connect().then(
    () => 'connected',
    error => error.code,
  )
  server.start()
  // One of them has the name now; the other gets it when that one leaves.
  if ((await within(outcome, 'the rival')) === 'connected') await rival.close()
  else assert.equal(await outcome, 'ERR_IPC_NAME_TAKEN')
  assert.match(await within(alice.deliver('who'), 'alice to be back'), /^[0-9a-f]{32}$/)
})
