'use strict'

/** A sensor in the greenhouse: a client of `server.js`. Run `node client.js` next to it, or `npm start` for both. */

const { Client } = require('ipcio')

const client = new Client(
  { domain: process.env.TUTORIAL_DOMAIN ?? 'greenhouse', name: 'sensor' },
  {
    window({ data }) {
      console.log(`the window is ${data.open ? 'open' : 'closed'}`)
    },
  },
)

async function main() {
  // The server need not run yet: messages wait in the client's queue until it is connected.
  console.log('sends a first reading, then connects')
  const first = client.send('reading', { degrees: 21 })
  await client.connect()
  await first
  console.log('the greenhouse has received the first reading')

  await client.send('reading', { degrees: 33 })

  // `deliver` waits for the answer of the handler.
  const average = await client.deliver('average')
  console.log(`the average is ${average} °C`)

  console.log(await client.deliver('water', { liters: 2 }))
  // The handler throws, so the promise rejects with its error.
  await client.deliver('water', { liters: 500 }).catch(error => console.log(`no water: ${error.message}`))

  const { clients, command_handlers } = await client.discover()
  console.log(`connected: ${clients.join(', ')}; the server handles: ${command_handlers.join(', ')}`)

  await client.close()
}

main()
