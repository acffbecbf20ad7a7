'use strict'

const http = require('node:http')

const { InOrder } = require('./in-order')

// Text messages of JSON and binary messages, over a Unix socket.
module.exports = {
  name: 'ws',
  label: 'ws',
  kind: 'library',
  features: ['roundtrip', 'flight', 'send', 'json', 'bytes', 'broadcast', 'crowd'],
  inOrder: true,
  available: () => undefined,

  async serve({ path, answer, receive, uses }) {
    const { WebSocketServer, WebSocket } = require('ws')
    const server = http.createServer()
    const sockets = new WebSocketServer({ server })
    const oneWay = uses === 'send'
    sockets.on('connection', socket => {
      socket.on('message', (message, isBinary) => {
        const data = decode(message, isBinary)
        if (oneWay) receive(data)
        else socket.send(encode(answer(data)))
      })
    })
    await new Promise(resolve => server.listen({ path, backlog: 4096 }, resolve))
    return {
      broadcast(data) {
        const text = encode(data)
        for (const client of sockets.clients) {
          if (client.readyState === WebSocket.OPEN) client.send(text)
        }
      },
      close: () => server.close(),
    }
  },

  async connect({ path, receive, uses }) {
    const { WebSocket } = require('ws')
    const socket = new WebSocket(`ws+unix:${path}:/`)
    const questions = new InOrder()
    const pushed = uses === 'broadcast'
    socket.on('message', (message, isBinary) => {
      const data = decode(message, isBinary)
      if (pushed) receive(data)
      else questions.settle(data)
    })
    await new Promise((resolve, reject) => {
      socket.on('open', resolve)
      socket.on('error', reject)
    })
    return {
      request(data) {
        const answer = questions.expect()
        socket.send(encode(data))
        return answer
      },
      send: data => socket.send(encode(data)),
      close: () => socket.terminate(),
    }
  },
}

const encode = data => (data instanceof Uint8Array ? data : JSON.stringify(data))
const decode = (message, isBinary) => (isBinary ? message : JSON.parse(message))
