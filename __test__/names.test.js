'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const INHERITED = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'then']
const UNUSUAL = [
  '',
  ' ',
  '0',
  'a}{b',
  '"quoted"',
  '\\',
  '\0',
  'line\u2028',
  'žluťoučký',
  '💥',
  'x'.repeat(65_535),
]

for (const [kind, names] of Object.entries({ INHERITED, UNUSUAL })) {
  test(`commands with ${kind.toLowerCase()} names work like any other`, async t => {
    const domain = new Domain(t)
    const collection = who =>
      Object.fromEntries(names.map(name => [name, ({ data }) => `${who} ${names.indexOf(name)} ${data}`]))
    const server = domain.server(collection('server'))
    const alice = await domain.client('alice', collection('alice'))
    for (const [index, name] of names.entries()) {
      assert.equal(await alice.deliver(name, 'd'), `server ${index} d`)
      assert.equal(await alice.deliver('alice', name, 'd'), `alice ${index} d`)
      await alice.send(name, 'd')
      await alice.emit('alice', name, 'd')
    }
    assert.deepEqual((await alice.discover()).command_handlers.sort(), [...names].sort())
    assert.throws(() => server.addHandlers(Object.fromEntries([[names[0], () => {}]])), {
      code: 'ERR_IPC_HANDLER_EXISTS',
    })
  })
}

test('commands with inherited names have no handler unless one was added', async t => {
  const domain = new Domain(t)
  domain.server({ other() {} })
  const alice = await domain.client('alice')
  for (const name of INHERITED) {
    await assert.rejects(alice.deliver(name), { code: 'ERR_IPC_NO_SUCH_COMMAND' }, name)
    await assert.rejects(alice.deliver('alice', name, null), { code: 'ERR_IPC_NO_SUCH_COMMAND' }, name)
  }
})

test('clients may have any name', async t => {
  const domain = new Domain(t)
  const server = domain.server({ who: ({ name }) => name })
  const names = [...INHERITED, ...UNUSUAL.filter(name => name !== '')]
  for (const [index, name] of names.entries()) {
    const inbox = new Inbox()
    const client = await domain.client(name, { word: inbox.takeData, echo: ({ data }) => data })
    assert.equal(client.name, name)
    assert.equal(await client.deliver('who'), name)
    assert.equal(await client.deliver(name, 'echo', index), index)
    server.emit(name, 'word', index)
    assert.deepEqual(await inbox.first(1), [index])
    assert.deepEqual((await client.discover()).clients, names.slice(0, index + 1))
  }
})

test('clients named like events get messages, and the events do not happen', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const inbox = new Inbox()
  const happened = new Inbox()
  const names = ['error', 'disconnection', 'dropped']
  const clients = []
  for (const name of names) {
    server.on(name, happened.take)
    clients.push(await domain.client(name, { word: inbox.takeData }))
  }
  for (const name of names) {
    server.emit(name, 'word', `${name} by the server`)
    await clients[0].emit(name, 'word', `${name} by a client`)
  }
  await inbox.first(6)
  assert.deepEqual(
    inbox.all.sort(),
    names.flatMap(name => [`${name} by a client`, `${name} by the server`]).sort(),
  )
  assert.deepEqual(happened.all, [])
})
