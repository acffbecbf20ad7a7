'use strict'

// Server and client, as most workloads need them.

const { fork } = require('node:child_process')

const { now } = require('../clock')
const { pinned } = require('../machine')
const { WORKER } = require('../processes')

const ANSWERS = {
  echo: data => data,
  size: data => (data instanceof Uint8Array ? data.length : (data.length ?? 0)),
}

// Starts the processes of a server and a client, and connects them.
async function meet(group, places, { uses, answer = 'echo', commands, connect = {}, serve = {} }) {
  const server = await group.start('server', places.server)
  const options = { path: group.path, uses, answer, commands, ...serve }
  let client
  if (group.implementation.forks) {
    client = group.arrival('client')
    await server.call('sides.fork', {
      cpu: places.client,
      flags: group.flags,
      environment: group.environment('client'),
      uses,
    })
    client = await client
    await server.call('sides.serve', options)
  } else {
    ;[client] = await Promise.all([group.start('client', places.client), server.call('sides.serve', options)])
  }
  await client.call('sides.connect', { path: group.path, name: 'client', uses, ...connect })
  return { server, client }
}

// Calls `run`, and adds the cost for both sides, in µs of CPU time for each message.
async function metered({ server, client }, run) {
  const before = await Promise.all([server.call('sides.cpu'), client.call('sides.cpu')])
  const result = await run()
  const after = await Promise.all([server.call('sides.cpu'), client.call('sides.cpu')])
  const serverTime = after[0] - before[0]
  const clientTime = after[1] - before[1]
  const { messages } = result
  return {
    ...result,
    cpu: (serverTime + clientTime) / messages,
    serverCpu: serverTime / messages,
    clientCpu: clientTime / messages,
  }
}

const parts = {
  async serve(here, options) {
    here.counter ??= new Counter()
    here.server = await here.implementation.serve({
      ...options,
      child: here.child,
      answer: ANSWERS[options.answer],
      receive: data => here.counter.count(data),
    })
  },

  async connect(here, options) {
    here.counter ??= new Counter()
    here.client = await here.implementation.connect({
      ...options,
      answer: ANSWERS.echo,
      receive: data => here.counter.count(data),
    })
  },

  // Only for the implementation whose server is the parent of the client.
  fork(here, { cpu, flags, environment, uses }) {
    const [execPath, ...execArgv] = pinned(cpu, [process.execPath, ...flags])
    const serialization = uses === 'bytes' ? 'advanced' : 'json'
    here.child = fork(WORKER, [], { execPath, execArgv, serialization, env: environment })
  },

  async close(here) {
    await here.client.close()
  },

  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },

  async memory() {
    for (let i = 0; i < 3; i++) {
      global.gc()
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    const { rss, heapUsed, heapTotal } = process.memoryUsage()
    return { rss, heapUsed, heapTotal }
  },

  received: (here, { total }) => here.counter.reached(total),
}

// Counts messages, and knows when all have arrived and whether they were in order.
class Counter {
  constructor() {
    this.total = 0
    this.goal = Infinity
    this.expected = 0
    this.disordered = 0
    this.first = 0
  }

  count(data) {
    if (this.total++ === 0) this.first = now()
    if (data.n !== this.expected) this.disordered++
    this.expected = data.n + 1
    if (this.total >= this.goal) this.finish()
  }

  // Call this before the messages are sent: it resolves with the time of the last message.
  reached(goal) {
    return new Promise(resolve => {
      this.finish = () => {
        this.goal = Infinity
        resolve({ at: now(), first: this.first, disordered: this.disordered })
      }
      this.goal = goal
      if (this.total >= goal) this.finish()
    })
  }
}

module.exports = { meet, metered, parts, Counter }
