'use strict'

/** A greenhouse that asks its sensors. Run `node server.js`, and `node client.js NAME` for each sensor. */

const { Server } = require('ipcio')

const server = new Server({ domain: process.env.EXAMPLE_DOMAIN ?? 'greenhouse' })

server.on('connection', async ({ name }) => {
  try {
    // A sensor that does not answer in time is reported as any other failure.
    const degrees = await server.deliver(name, 'read', { unit: '°C' }, { timeout: 5000 })
    console.log(`${name} measures ${degrees} °C`)
    await server.deliver(name, 'calibrate')
  } catch (error) {
    console.log(`${name}: ${error.message} (${error.code})`)
  }
  for (const { name, pid, since, away, queued } of server.clients()) {
    const state = away ? 'away' : 'connected'
    console.log(
      `${name}, process ${pid}, is ${state} since ${since.toISOString()}: ${queued.messages} waiting`,
    )
  }
})

server.start()

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close())
