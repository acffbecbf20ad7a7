'use strict'

/** Four clients send while their server is killed repeatedly. */

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')
const { until, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const NAMES = ['alice', 'bob', 'carol', 'dave']
const KILLS = 10

/** The number of concurrent promises, so that something is always outstanding. */
const WINDOW = 300

/** Sends, delivers and emits as fast as its promises settle, and numbers what it sends. */
class Sender {
  constructor(client, neighbour) {
    this.client = client
    this.neighbour = neighbour
    this.toServer = 0
    this.toNeighbour = 0
    this.settled = 0
    this.failures = []
    this.running = true
    this.done = Promise.all(Array.from({ length: WINDOW }, () => this.#work()))
  }

  get sent() {
    return this.toServer + this.toNeighbour
  }

  stop() {
    this.running = false
    return this.done
  }

  async #work() {
    while (this.running) {
      await this.#next().catch(error => this.failures.push(error))
      this.settled++
    }
  }

  #next() {
    const { client, neighbour } = this
    const turn = this.sent % 5
    if (turn < 2) return client.send('tell', this.toServer++)
    if (turn === 2) {
      const number = this.toServer++
      return client.deliver('ask', number).then(answer => assert.equal(answer, number))
    }
    const number = this.toNeighbour++
    if (turn === 3) return client.emit(neighbour, 'hear', number)
    return client.deliver(neighbour, 'hear', number).then(answer => assert.equal(answer, number))
  }
}

/** Every number once, in order, except for repetitions that are marked. */
function check(what, entries, count) {
  const seen = new Set()
  let next = 0
  for (const { number, again } of entries) {
    if (seen.has(number)) {
      assert.ok(again, `${what}: ${number} came again without a mark`)
      continue
    }
    assert.equal(number, next, `${what}: out of order or lost`)
    seen.add(number)
    next++
  }
  assert.equal(next, count, `${what}: the last ones are lost`)
}

test('a server killed ten times under four clients: nothing lost, nothing out of order, no unmarked duplicate, every promise settled', async t => {
  const domain = new Domain(t)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ipcio-test-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const log = path.join(folder, 'log')
  const start = async () => {
    const child = domain.spawn('counting-server.js', [log])
    await child.report('listening')
    return child
  }

  const heard = Object.fromEntries(NAMES.map(name => [name, []]))
  let server = await start()
  const clients = await Promise.all(
    NAMES.map(name =>
      domain.client(name, {
        hear({ data, from, redelivered }) {
          heard[name].push({ from, number: data, again: redelivered })
          return data
        },
      }),
    ),
  )
  const neighbour = index => NAMES[(index + 1) % NAMES.length]
  const senders = clients.map((client, index) => new Sender(client, neighbour(index)))

  for (let kill = 0; kill < KILLS; kill++) {
    // Each client has made progress since the last time, by a different amount.
    const goals = senders.map(({ settled }) => settled + 500 + kill * 37)
    await until(
      () => senders.every(({ settled }, index) => settled >= goals[index]),
      `all clients got on after ${kill} kills`,
      60_000,
    )
    await server.kill()
    server = await start()
  }

  for (const sender of senders) sender.running = false
  await within(Promise.all(senders.map(sender => sender.stop())), 'every promise to settle', 60_000)
  for (const { sent, settled, failures } of senders) {
    assert.deepEqual(failures, [])
    assert.equal(settled, sent)
  }

  const lines = fs.readFileSync(log, 'utf8').trimEnd().split('\n')
  assert.equal(lines.filter(line => line === 'start').length, KILLS + 1)
  for (const [index, { client, toServer, toNeighbour }] of senders.entries()) {
    const { name } = client
    const told = lines
      .map(line => line.split(' '))
      .filter(([sender]) => sender === name)
      .map(([, number, mark]) => ({ number: Number(number), again: mark === 'again' }))
    check(`${name} to the server`, told, toServer)
    const entries = heard[neighbour(index)].filter(({ from }) => from === name)
    check(`${name} to ${neighbour(index)}`, entries, toNeighbour)
  }
})
