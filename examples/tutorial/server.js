'use strict'

/** A greenhouse: a server that sensors report to. Run `node server.js` and then `node client.js`, or `npm start` for both. */

const { Server } = require('ipcio')

const readings = []

const server = new Server(
  { domain: process.env.TUTORIAL_DOMAIN ?? 'greenhouse' },
  {
    // For `client.send`, which expects no answer.
    reading({ data, name }) {
      console.log(`${name} measures ${data.degrees} °C`)
      readings.push(data.degrees)
      if (data.degrees > 30) server.emit(name, 'window', { open: true })
    },

    // For `client.deliver`: the answer is what the handler returns, or what its promise resolves to.
    average() {
      return readings.reduce((sum, degrees) => sum + degrees, 0) / readings.length
    },

    // An error that it throws rejects the promise of `client.deliver`.
    water({ data }) {
      if (data.liters > 10) throw new Error(`${data.liters} liters would drown the plants`)
      return `${data.liters} liters are on their way`
    },
  },
)

server.on('connection', ({ name }) => console.log(`${name} has connected`))
server.on('disconnection', ({ name }) => console.log(`${name} has disconnected`))

server.start()
console.log(`listening at ${server.address()}`)

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close()
    console.log('closed')
  })
}
