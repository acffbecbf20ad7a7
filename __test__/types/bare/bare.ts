// The types alone, with no globals of Node.js or the DOM.

import { type Answer, Client, type Discovery, type IpcError, Server } from 'ipcio'

const server: Server = new Server({ domain: 'bare' }, { add: ({ data }) => data.a + data.b })
server.start().broadcast('news', 'we are open')
server.on('connection', ({ name, uuid }) => name + uuid)

interface Commands {
  add(terms: { a: number; b: number }): number
}

const client = new Client<Commands>({ name: 'alice' }, { add: ({ data }) => data.a + data.b })
const sum: Promise<number> = client.deliver('add', { a: 1, b: 2 })
const discovery: Promise<Discovery> = client.discover()
const answer: Answer<number> = Promise.resolve(1)

export const code = (error: IpcError): string => error.code
export { answer, discovery, sum }
