'use strict'

/** A greenhouse: sensors report to it, and it tells them what it does about it. */

const { Server } = require('ipcio')

const readings = []

const server = new Server(
  { domain: process.env.TUTORIAL_DOMAIN ?? 'greenhouse' },
  {
    // For `client.send`: nobody waits for an answer.
    reading({ data, name }) {
      console.log(`${name} measures ${data.degrees} °C`)
      readings.push(data.degrees)
      if (data.degrees > 30) server.emit(name, 'window', { open: true })
    },

    // For `client.deliver`: what a handler returns, or its promise resolves to, is the answer.
    average() {
      return readings.reduce((sum, degrees) => sum + degrees, 0) / readings.length
    },

    // What it throws is the answer too.
    water({ data }) {
      if (data.liters > 10) throw new Error(`${data.liters} liters would drown the plants`)
      return `${data.liters} liters are on their way`
    },
  },
)

server.on('connection', ({ name }) => console.log(`${name} is here`))
server.on('disconnection', ({ name }) => console.log(`${name} has left`))

server.start()
console.log(`open at ${server.address()}`)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close()
    console.log('closed')
  })
}
