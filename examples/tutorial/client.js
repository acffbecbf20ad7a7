'use strict'

/** A sensor in the greenhouse. */

const { Client } = require('ipcio')

const client = new Client(
  { domain: process.env.TUTORIAL_DOMAIN ?? 'greenhouse', name: 'sensor' },
  {
    window({ data }) {
      console.log(`the window is ${data.open ? 'opened' : 'closed'}`)
    },
  },
)

async function main() {
  // Nobody need be there yet: what is sent before the connection is up waits for it.
  console.log('sends a first reading, and connects')
  const first = client.send('reading', { degrees: 21 })
  await client.connect()
  await first
  console.log('the greenhouse has received the first reading')

  await client.send('reading', { degrees: 33 })

  const average = await client.deliver('average')
  console.log(`the average is ${average} °C`)

  console.log(await client.deliver('water', { liters: 2 }))
  await client.deliver('water', { liters: 500 }).catch(error => console.log(`no water: ${error.message}`))

  const { clients, command_handlers } = await client.discover()
  console.log(`${clients.join(', ')} can ask for ${command_handlers.join(', ')}`)

  await client.close()
}

main()
