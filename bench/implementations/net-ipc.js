'use strict'

// The client chooses `messagepack`, and the server follows.
function netIpc(name, label, options) {
  return {
    name,
    label,
    kind: 'library',
    features: [
      'roundtrip',
      'flight',
      'send',
      'json',
      'broadcast',
      'crowd',
      ...(options.messagepack ? ['bytes'] : []),
    ],
    available: () => undefined,

    async serve({ path, answer, receive }) {
      const { Server } = require('net-ipc')
      const server = new Server({ path })
      server.on('request', (data, respond) => respond(answer(data)))
      server.on('message', receive)
      await server.start()
      return {
        broadcast: data => server.broadcast(data),
        close: () => server.close(),
      }
    },

    async connect({ path, receive }) {
      const { Client } = require('net-ipc')
      const client = new Client({ path, ...options })
      client.on('message', receive)
      await client.connect()
      return {
        request: data => client.request(data),
        send: data => client.send(data),
        close: () => client.close(),
      }
    },
  }
}

module.exports = { netIpc }
