'use strict'

// The best that one can write on node:net in an afternoon: a length prefix, JSON, and numbered requests. All
// messages of one tick are sent with one write. Acknowledgements of one-way messages are cumulative, so that a
// promise means the same as in ipcio.

const net = require('node:net')

const KIND = { request: 1, answer: 2, oneWay: 3, acknowledge: 4, hello: 5, relay: 6, broadcast: 7 }
const BYTES = 0x80 // set in the kind if the body is bytes, not JSON
const HEADER = 9 // length, kind, number
const COPY_LIMIT = 65536 // larger bodies of bytes are written as they are

module.exports = {
  name: 'floor',
  label: 'node:net by hand',
  kind: 'floor',
  features: ['roundtrip', 'flight', 'send', 'json', 'bytes', 'broadcast', 'relay', 'queue', 'crowd'],
  available: () => undefined,

  async serve({ path, answer, receive }) {
    const clients = new Set()
    const names = new Map()
    const server = net.createServer(socket => {
      const connection = new Connection(answer, receive)
      connection.attach(socket)
      connection.onHello = name => names.set(name, connection)
      connection.onRelay = ({ to, data }) => names.get(to).request(data)
      clients.add(connection)
      socket.on('close', () => clients.delete(connection))
    })
    await new Promise(resolve => server.listen({ path, backlog: 4096 }, resolve))
    return {
      broadcast(data) {
        const text = JSON.stringify(data)
        for (const client of clients) client.write(KIND.broadcast, 0, text)
      },
      close: () => server.close(),
    }
  },

  async connect({ path, name, answer, receive, wait = true }) {
    const connection = new Connection(answer, receive)
    connection.write(KIND.hello, 0, JSON.stringify(name))
    const connected = dial(path).then(socket => connection.attach(socket))
    if (wait) await connected
    return {
      request: data => connection.request(data),
      requestTo: (to, data) => connection.relay(to, data),
      send: data => connection.send(data),
      close: () => connection.socket.destroy(),
    }
  },
}

class Connection {
  constructor(answer, receive) {
    this.answer = answer
    this.receive = receive
    this.socket = null
    this.kinds = []
    this.numbers = []
    this.bodies = []
    this.scheduled = false
    this.flush = this.flush.bind(this)
    this.requests = new Map()
    this.nextRequest = 1
    this.unacknowledged = []
    this.acknowledged = 0
    this.received = 0
    this.parts = []
    this.have = 0
    this.need = HEADER
  }

  attach(socket) {
    this.socket = socket
    socket.on('data', chunk => this.read(chunk))
    socket.on('error', () => {})
    this.schedule()
  }

  request(data) {
    return new Promise(resolve => {
      const number = this.nextRequest++
      this.requests.set(number, resolve)
      this.write(KIND.request, number, encode(data))
    })
  }

  relay(to, data) {
    return new Promise(resolve => {
      const number = this.nextRequest++
      this.requests.set(number, resolve)
      this.write(KIND.relay, number, JSON.stringify({ to, data }))
    })
  }

  send(data) {
    this.write(KIND.oneWay, 0, encode(data))
    return new Promise(resolve => this.unacknowledged.push(resolve))
  }

  write(kind, number, body) {
    this.kinds.push(typeof body === 'string' ? kind : kind | BYTES)
    this.numbers.push(number)
    this.bodies.push(body)
    this.schedule()
  }

  schedule() {
    if (this.scheduled || !this.socket) return
    this.scheduled = true
    process.nextTick(this.flush)
  }

  flush() {
    this.scheduled = false
    const { kinds, numbers, bodies, socket } = this
    this.kinds = []
    this.numbers = []
    this.bodies = []
    let size = 0
    for (const body of bodies) size += HEADER + copied(body)
    const out = Buffer.allocUnsafe(size)
    let at = 0
    let from = 0
    socket.cork()
    for (let i = 0; i < bodies.length; i++) {
      const body = bodies[i]
      const start = at + HEADER
      let length = body.length
      if (typeof body === 'string') length = out.utf8Write(body, start)
      else if (length < COPY_LIMIT) out.set(body, start)
      out.writeUInt32LE(length, at)
      out[at + 4] = kinds[i]
      out.writeUInt32LE(numbers[i], at + 5)
      at = start
      if (typeof body === 'string' || length < COPY_LIMIT) {
        at += length
      } else {
        socket.write(out.subarray(from, at))
        socket.write(body)
        from = at
      }
    }
    if (from < at) socket.write(out.subarray(from, at))
    socket.uncork()
  }

  read(chunk) {
    if (this.have) {
      this.parts.push(chunk)
      this.have += chunk.length
      if (this.have < this.need) return
      chunk = Buffer.concat(this.parts, this.have)
      this.parts = []
      this.have = 0
    }
    const before = this.received
    let at = 0
    this.need = HEADER
    while (chunk.length - at >= HEADER) {
      const end = at + HEADER + chunk.readUInt32LE(at)
      if (end > chunk.length) {
        this.need = end - at
        break
      }
      const kind = chunk[at + 4]
      const number = chunk.readUInt32LE(at + 5)
      const start = at + HEADER
      at = end
      if (kind & BYTES) this.dispatch(kind & ~BYTES, number, chunk.subarray(start, end))
      else this.dispatch(kind, number, start === end ? undefined : JSON.parse(chunk.utf8Slice(start, end)))
    }
    if (at < chunk.length) {
      this.parts.push(chunk.subarray(at))
      this.have = chunk.length - at
    }
    if (this.received !== before) this.write(KIND.acknowledge, this.received, '')
  }

  dispatch(kind, number, data) {
    switch (kind) {
      case KIND.request:
        this.reply(number, this.answer(data))
        break
      case KIND.relay:
        this.reply(number, this.onRelay(data))
        break
      case KIND.answer:
        this.requests.get(number)(data)
        this.requests.delete(number)
        break
      case KIND.oneWay:
        this.received++
        this.receive(data)
        break
      case KIND.broadcast:
        this.receive(data)
        break
      case KIND.acknowledge:
        this.settle(number)
        break
      case KIND.hello:
        this.onHello(data)
        break
    }
  }

  reply(number, value) {
    if (value instanceof Promise) value.then(settled => this.write(KIND.answer, number, encode(settled)))
    else this.write(KIND.answer, number, encode(value))
  }

  settle(count) {
    const settled = count - this.acknowledged
    for (let i = 0; i < settled; i++) this.unacknowledged[i]()
    this.unacknowledged = this.unacknowledged.slice(settled)
    this.acknowledged = count
  }
}

const encode = data => (data instanceof Uint8Array ? data : JSON.stringify(data))

const copied = body => {
  if (typeof body === 'string') return Buffer.byteLength(body)
  return body.length < COPY_LIMIT ? body.length : 0
}

async function dial(path) {
  for (;;) {
    const socket = net.connect(path)
    const connected = await new Promise(resolve => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    if (connected) return socket
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
