// A domain whose commands are declared: names, data and answers are checked.

import { Client, type CommandData, type CommandName, type CommandResult, Server } from 'ipcio'

interface Commands {
  add(terms: { a: number; b: number }): number
  log(line: string): void
  ping(): 'pong'
  find(id: number): Promise<{ id: number } | null>
  tag(label?: string): string
}

const server = new Server<Commands>(null, {
  add: ({ data }) => data.a + data.b,
  log: async ({ data }) => console.log(data.toUpperCase()),
  ping: () => 'pong',
})
server.addHandlers({
  find: async ({ data, server }) => (server.listening ? { id: data } : null),
  tag({ data, name }) {
    this.emit(name, 'log', 'tagged')
    return data ?? 'none'
  },
})
// @ts-expect-error: the answer must be a number
server.addHandlers({ add: () => 'three' })
// @ts-expect-error: its promise must be for a number too
server.addHandlers({ add: async () => 'three' })
// @ts-expect-error: no such command
server.addHandlers({ subtract: () => 1 })
// @ts-expect-error: no such field in the data
server.addHandlers({ add: ({ data }) => data.c })
// @ts-expect-error: no function
server.addHandlers({ add: 3 })

server.emit('alice', 'add', { a: 1, b: 2 }).emit('alice', 'ping').emit('alice', 'tag')
server.emit('alice', 'ping', null, 'id of a delivery')
server.broadcast('log', 'hello').broadcast('log', 'hello', 'alice').broadcast('ping')
// @ts-expect-error: the data is missing
server.emit('alice', 'add')
// @ts-expect-error: the data is wrong
server.broadcast('log', 5)
// @ts-expect-error: no such command
server.broadcast('subtract', 5)

const client = new Client<Commands>({ name: 'alice' }, { log: ({ data }) => data.length })
client.addHandlers({ ping: () => 'pong', tag: async ({ data }) => data ?? 'none' })

export async function traffic(): Promise<void> {
  await client.send('log', 'hello')
  await client.send('ping')
  await client.emit('bob', 'tag', 'urgent')
  await client.emit('bob', 'tag')
  await client.broadcast('log', 'hello')

  const sum: number = await client.deliver('add', { a: 1, b: 2 })
  const pong: 'pong' = await client.deliver('ping')
  const found: { id: number } | null = await client.deliver('bob', 'find', sum)
  const tag: string = await client.deliver(null, 'tag', undefined, { timeout: 100 })
  console.log(sum, pong, found, tag)
  const product: number = await server.deliver('alice', 'add', { a: 1, b: 2 }, { timeout: 100 })
  const other: 'pong' = await server.deliver('alice', 'ping')
  console.log(product, other)
  // @ts-expect-error: the data is wrong
  await server.deliver('alice', 'add', 'one and two')
  // @ts-expect-error: no such command
  await server.deliver('alice', 'subtract', 5)
  // @ts-expect-error: the answer is a number
  const words: string = await server.deliver('alice', 'add', { a: 1, b: 2 })
  console.log(words)

  // @ts-expect-error: the answer is a number
  const text: string = await client.deliver('add', { a: 1, b: 2 })
  console.log(text)
  // @ts-expect-error: the data is wrong
  await client.deliver('add', { a: 1 })
  // @ts-expect-error: the data is wrong
  await client.deliver('bob', 'add', 'one and two')
  // @ts-expect-error: no such command
  await client.deliver('subtract', { a: 1, b: 2 })
  // @ts-expect-error: no such command
  await client.send('subtract')
  // @ts-expect-error: the data is missing
  await client.emit('bob', 'log')
  // @ts-expect-error: an option that does not exist
  await client.deliver('bob', 'ping', null, { patience: 3 })
}

const name: CommandName<Commands> = 'ping'
const data: CommandData<Commands, 'log'> = 'a line'
const result: CommandResult<Commands, 'find'> = null
console.log(name, data, result)

// A function for any server takes one with declared commands.
const close = (any: Server | Client): Promise<void> => any.close()
export const closed = Promise.all([close(server), close(client)])
