// The same from an ES module.

import { Client, Server } from 'ipcio'

const domain = `dist-check-${process.pid}`
const server = new Server({ domain }, { add: ({ data }) => data.a + data.b })
const client = new Client({ domain })

server.start()
await client.connect()
if ((await client.deliver('add', { a: 1, b: 2 })) !== 3) throw new Error('not 3')
await client.close()
await server.close()
console.log('It works.')
