'use strict'

/** One delivery and its answer. */

const { Client, Server } = require('ipcio')

const domain = `dist-check-${process.pid}`
const server = new Server({ domain }, { add: ({ data }) => data.a + data.b })
const client = new Client({ domain })

async function main() {
  server.start()
  await client.connect()
  const sum = await client.deliver('add', { a: 1, b: 2 })
  await client.close()
  await server.close()
  if (sum !== 3) throw new Error(`1 and 2 is ${sum}`)
  console.log('It works.')
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
