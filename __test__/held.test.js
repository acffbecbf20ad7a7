'use strict'

/** Messages that were acknowledged and not handed over yet survive the server: their senders keep them. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { until } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { KIND, RawPeer } = require('./support/raw-peer.js')

/** A domain with a server, another one after each `replace()`, a client `bob` in its own process, and `alice`. */
async function open(t) {
  const domain = new Domain(t)
  let server
  const replace = async () => {
    await server?.kill()
    server = domain.spawn('counting-server.js', ['/dev/null'])
    await server.report('listening')
  }
  await replace()
  const bob = domain.spawn('client.js', ['bob'])
  await bob.report('connected')
  const alice = await domain.client('alice')
  const words = async count => {
    const got = []
    while (got.length < count) got.push(await bob.report('word'))
    return got
  }
  return { domain, alice, bob, replace, words }
}

test('messages to an absent client survive its server, and the next one', async t => {
  const { alice, bob, replace, words } = await open(t)
  await bob.kill('SIGSTOP')
  await replace()
  await Promise.all([1, 2, 3].map(number => alice.emit('bob', 'word', number)))
  await replace()
  await alice.emit('bob', 'word', 4)
  // A delivery waits behind the messages that already wait.
  const answer = alice.deliver('bob', 'echo', 'behind them')
  await alice.emit('bob', 'word', 5)
  await replace()
  await bob.kill('SIGCONT')
  assert.equal(await answer, 'behind them')
  assert.deepEqual(await words(5), [1, 2, 3, 4, 5])
})

test('10,000 messages to an absent client survive its server, in order', async t => {
  const { alice, bob, replace, words } = await open(t)
  await bob.kill('SIGSTOP')
  await replace()
  const numbers = Array.from({ length: 10_000 }, (_, number) => number)
  await Promise.all(numbers.map(number => alice.emit('bob', 'word', number)))
  await replace()
  await alice.emit('bob', 'word', 'the last one')
  await bob.kill('SIGCONT')
  assert.deepEqual(await words(numbers.length), numbers)
})

/** What the server itself sends to a peer, without relayed messages. */
const told = ({ frames }) => frames.all.map(({ kind, id }) => [kind, id])

for (const version of [2, 3]) {
  test(`the server tells a peer of protocol ${version} what it holds if the peer understands it`, async t => {
    const domain = new Domain(t)
    const server = domain.server()
    const connect = async (name, hello) => {
      const peer = new RawPeer(domain.path)
      domain.defer(() => peer.close())
      const { ipcio } = await peer.handshake(name, hello)
      return { peer, ipcio }
    }
    const { peer: alice } = await connect('alice', { version })
    const { peer: bob, ipcio } = await connect('bob')
    const gone = new Promise(resolve => server.once('disconnection', resolve))
    bob.close()
    await gone
    alice.send(KIND.EMIT, { name: 'bob', command: 'word', payload: '1' })
    alice.send(KIND.SEND, { command: 'word', payload: '2' })
    alice.send(KIND.EMIT, { name: 'bob', command: 'word', payload: '3' })
    await until(
      () => told(alice).some(([kind, id]) => kind === KIND.ACKNOWLEDGEMENT && id === 3),
      'all is acknowledged',
    )
    const acknowledged = told(alice).filter(([kind]) => kind === KIND.ACKNOWLEDGEMENT)
    const held = told(alice).filter(([kind]) => kind !== KIND.ACKNOWLEDGEMENT)
    assert.deepEqual(held, version >= 3 ? [KIND.HELD, KIND.HELD].map((kind, at) => [kind, 1 + 2 * at]) : [])
    assert.deepEqual(told(alice).at(-1), acknowledged.at(-1))

    const back = await connect('bob', { session: bob.session, attempt: 2, server: ipcio.server })
    assert.equal(back.ipcio.resumed, true)
    const [first, second] = await back.peer.frames.first(2)
    assert.deepEqual([first.payload, second.payload], ['1', '3'])
    alice.send(KIND.EMIT, { name: 'bob', command: 'word', payload: '4' })
    await until(
      () => told(alice).some(([kind, id]) => kind === KIND.ACKNOWLEDGEMENT && id === 4),
      'the last is acknowledged',
    )
    const released = told(alice).filter(([kind]) => kind === KIND.RELEASED || kind === KIND.HELD)
    const expected = [
      [KIND.HELD, 1],
      [KIND.HELD, 3],
      [KIND.RELEASED, 1],
      [KIND.RELEASED, 3],
    ]
    assert.deepEqual(released, version >= 3 ? expected : [])
  })
}
