'use strict'

const { InOrder } = require('./in-order')

// Without these options, a socket refuses a second send while the first one waits, and a publisher drops
// messages that are more than 1,000 ahead. The other implementations have no such limits.
const UNBOUNDED = { sendHighWaterMark: 0, sendTimeout: 0 }

// A pair of sockets for each workload, as in its guide: request/reply for one request at a time,
// dealer/router for many, push/pull for one-way messages, publish/subscribe for broadcasts.
module.exports = {
  name: 'zeromq',
  label: 'zeromq',
  kind: 'library',
  features: ['roundtrip', 'flight', 'send', 'json', 'bytes', 'broadcast', 'queue'],
  inOrder: true,
  available: () => undefined,

  async serve({ path, answer, receive, uses }) {
    const zmq = require('zeromq')
    const address = `ipc://${path}`
    if (uses === 'roundtrip') {
      const reply = new zmq.Reply()
      await reply.bind(address)
      each(reply, async ([frame]) => reply.send(encode(answer(decode(frame)))))
      return { close: () => reply.close() }
    }
    if (uses === 'broadcast') {
      const publisher = new zmq.Publisher(UNBOUNDED)
      await publisher.bind(address)
      return { broadcast: data => publisher.send(encode(data)), close: () => publisher.close() }
    }
    if (uses === 'send' || uses === 'queue') {
      const pull = new zmq.Pull()
      await pull.bind(address)
      each(pull, ([frame]) => receive(decode(frame)))
      return { close: () => pull.close() }
    }
    const router = new zmq.Router(UNBOUNDED)
    await router.bind(address)
    each(router, ([identity, frame]) => router.send([identity, encode(answer(decode(frame)))]))
    return { close: () => router.close() }
  },

  async connect({ path, receive, uses }) {
    const zmq = require('zeromq')
    const address = `ipc://${path}`
    if (uses === 'roundtrip') {
      const request = new zmq.Request()
      request.connect(address)
      return {
        async request(data) {
          await request.send(encode(data))
          const [frame] = await request.receive()
          return decode(frame)
        },
        close: () => request.close(),
      }
    }
    if (uses === 'broadcast') {
      const subscriber = new zmq.Subscriber({ receiveHighWaterMark: 0 })
      subscriber.connect(address)
      subscriber.subscribe()
      each(subscriber, ([frame]) => receive(decode(frame)))
      return { close: () => subscriber.close() }
    }
    if (uses === 'send' || uses === 'queue') {
      const push = new zmq.Push(UNBOUNDED)
      push.connect(address)
      return { send: data => push.send(encode(data)), close: () => push.close() }
    }
    const dealer = new zmq.Dealer(UNBOUNDED)
    const questions = new InOrder()
    dealer.connect(address)
    each(dealer, ([frame]) => questions.settle(decode(frame)))
    return {
      request(data) {
        const answer = questions.expect()
        dealer.send(encode(data))
        return answer
      },
      close: () => dealer.close(),
    }
  },
}

async function each(socket, take) {
  try {
    for await (const frames of socket) await take(frames)
  } catch (error) {
    if (!socket.closed) throw error
  }
}

// Measured bytes begin with 0, which no JSON text does, so the two can be told apart.
const encode = data => (data instanceof Uint8Array ? data : JSON.stringify(data))
const decode = frame => (frame[0] === 0 ? frame : JSON.parse(frame.toString()))
