'use strict'

const path = require('node:path')

const ROOT = path.join(__dirname, '..', '..')

// ipcio, with some options, from some checkout.
function ipcio(name, label, options, root = ROOT) {
  return {
    name,
    label,
    kind: 'ours',
    features: [
      'roundtrip',
      'flight',
      'send',
      'json',
      'bytes',
      'broadcast',
      'relay',
      'queue',
      'crowd',
      'handlers',
    ],

    available() {
      try {
        require(root)
        return undefined
      } catch (error) {
        return error.message.split('\n')[0]
      }
    },

    async serve({ path: socket, answer, receive, commands = 0 }) {
      const { Server } = require(root)
      const server = new Server(
        { domain: domainOf(socket), ...options },
        {
          echo: ({ data }) => answer(data),
          take: ({ data }) => receive(data),
        },
      )
      for (let i = 0; i < commands; i++) server.addHandlers({ [`command${i}`]: ({ data }) => answer(data) })
      server.start()
      return {
        broadcast: data => void server.broadcast('take', data),
        close: () => server.close(),
      }
    },

    async connect({ path: socket, name: own, answer, receive, wait = true }) {
      const { Client } = require(root)
      const { busyPoll, driver } = options
      const client = new Client(
        { name: own, domain: domainOf(socket), busyPoll, driver },
        {
          echo: ({ data }) => answer(data),
          take: ({ data }) => receive(data),
        },
      )
      const connected = client.connect()
      if (wait) await connected
      return {
        request: data => client.deliver('echo', data),
        command: (command, data) => client.deliver(command, data),
        requestTo: (other, data) => client.deliver(other, 'echo', data),
        send: data => client.send('take', data),
        close: () => client.close(),
      }
    },
  }
}

const domainOf = socket => path.basename(socket)

module.exports = { ipcio }
