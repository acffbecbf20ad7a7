// The same with its commands declared.

import { Client, Server } from 'ipcio'

interface Commands {
  add(terms: { a: number; b: number }): number
}

const domain = 'dist-check-typed'
const server = new Server<Commands>({ domain }, { add: ({ data }) => data.a + data.b })
const client = new Client<Commands>({ domain })

async function main(): Promise<void> {
  server.start()
  await client.connect()
  const sum: number = await client.deliver('add', { a: 1, b: 2 })
  // @ts-expect-error: no such command
  client.deliver('subtract', { a: 1, b: 2 }).catch(() => {})
  await client.close()
  await server.close()
  if (sum === 3) console.log('It works.')
}

main()
