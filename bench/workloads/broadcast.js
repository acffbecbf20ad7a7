'use strict'

const { nextTurn, now, pause } = require('../clock')
const { Counter, metered } = require('./sides')
const { small } = require('./message')

const CLIENTS = 100
const PER_TURN = 10

const broadcast = {
  name: 'broadcast',
  essential: true,
  title: `Broadcast of a small message to ${CLIENTS} clients`,
  feature: 'broadcast',
  columns: [
    { key: 'rate', label: 'delivered/s', unit: '/s', better: 'more' },
    { key: 'cpu', label: 'CPU each', unit: 'µs', better: 'less' },
    { key: 'disordered', label: 'out of order', unit: '', better: 'less', sparse: true },
  ],
  async measure(group, { places, quick }) {
    const server = await group.start('server', places.server)
    const [client] = await Promise.all([
      group.start('client', places.client),
      server.call('sides.serve', { path: group.path, uses: 'broadcast', answer: 'echo' }),
    ])
    await client.call('broadcast.connect', { path: group.path, clients: CLIENTS })
    const sides = { server, client }
    await everybodyHears(sides)
    const trial = await batch(sides, quick ? 50 : 200)
    const wanted = quick ? 0.1 : 1
    const count = Math.min(20_000, Math.max(50, Math.round((trial.rate * wanted) / CLIENTS)))
    return metered(sides, () => batch(sides, count))
  },
}

// Subscriptions may take a while to arrive: the measurement starts when each client has received a message.
async function everybodyHears({ server, client }) {
  for (let i = 0; i < 100; i++) {
    await server.call('broadcast.broadcast', { count: 1 })
    await pause(20)
    if (await client.call('broadcast.allHeard')) return
  }
  throw new Error('some client never got a broadcast')
}

async function batch({ server, client }, count) {
  const arrival = client.call('broadcast.received', { count, clients: CLIENTS })
  const { start } = await server.call('broadcast.broadcast', { count })
  const { at, disordered } = await arrival
  return { rate: ((count * CLIENTS) / (at - start)) * 1000, messages: count * CLIENTS, disordered }
}

const parts = {
  async connect(here, { path, clients }) {
    here.heard = Array.from({ length: clients }, () => new Counter())
    here.total = new Total()
    for (const [i, counter] of here.heard.entries()) {
      const receive = data => {
        counter.count(data)
        here.total.add()
      }
      await here.implementation.connect({
        path,
        name: `client${i}`,
        uses: 'broadcast',
        answer: () => null,
        receive,
      })
    }
  },

  allHeard({ heard, total }) {
    const all = heard.every(counter => counter.total > 0)
    if (all) for (const counter of heard) counter.disordered = 0
    total.count = 0
    return all
  },

  async received({ heard, total }, { count, clients }) {
    const at = await total.reached(count * clients)
    return { at, disordered: heard.reduce((sum, counter) => sum + counter.disordered, 0) }
  },

  async broadcast(here, { count }) {
    here.next ??= 0
    const start = now()
    for (let sent = 0; sent < count; ) {
      for (const end = Math.min(sent + PER_TURN, count); sent < end; sent++) {
        const sending = here.server.broadcast(small(here.next++))
        if (sending) await sending
      }
      await nextTurn()
    }
    return { start }
  },
}

class Total {
  count = 0
  goal = Infinity

  add() {
    if (++this.count === this.goal) {
      this.finish(now())
      this.count = 0
      this.goal = Infinity
    }
  }

  reached(goal) {
    this.goal = goal
    return new Promise(resolve => (this.finish = resolve))
  }
}

module.exports = { workloads: [broadcast], parts }
