// Every member, with no commands declared: any name, any data, any answer.

import { Buffer } from 'node:buffer'
import {
  Client,
  type ClientContainer,
  type ClientHandlers,
  type ClientIdentity,
  type ClientOptions,
  type ConnectedClient,
  type Discovery,
  type DroppedMessages,
  type IpcError,
  type Peer,
  Server,
  type ServerContainer,
  type ServerOptions,
  type Socket,
  type Wait,
} from 'ipcio'

new Server()
new Server(null, null)
new Server(undefined, undefined)
new Client()
new Client(null, null)

const serverOptions: Required<ServerOptions> = {
  verbose: false,
  domain: 'example',
  encoding: 'utf8',
  driver: 'loop',
  mode: 0o660,
  allowUsers: [1000],
  maxMessageSize: 2 ** 20,
  maxClients: 10,
  handshakeTimeout: 1000,
  slowConsumerLimit: 2 ** 20,
  awayLimit: 2 ** 20,
  unfinishedLimit: 2 ** 20,
  maxDeliveries: 1000,
  resumeTimeout: 1000,
  busyPoll: 0,
  closeTimeout: 1000,
}
const clientOptions: Required<ClientOptions> = {
  queueLimit: 2 ** 20,
  verbose: true,
  name: 'alice',
  domain: 'example',
  encoding: 'UTF-8',
  driver: 'thread',
  allowUsers: 'any',
  maxMessageSize: 2 ** 20,
  busyPoll: 50,
  closeTimeout: 1000,
}
// @ts-expect-error: no such driver
new Server({ driver: 'fast' })
// @ts-expect-error: no such encoding
new Server({ encoding: 'morse' })
// @ts-expect-error: no such option
new Client({ nickname: 'alice' })
// @ts-expect-error: an option of the server
new Client({ maxClients: 3 })
// @ts-expect-error: the wrong type
new Client({ name: 5 })

const server = new Server(serverOptions, {
  greet(container) {
    const behind: Server = container.server
    const { uuid, name, client_name, from, redelivered, command, peer }: ServerContainer = container
    const names: string[] = [uuid, name, client_name, from, command]
    const { pid, uid, gid }: Peer = peer
    console.log(pid + uid + gid)
    // @ts-expect-error: read only
    peer.pid = 1
    answer(container.socket)
    return redelivered ? names : this.address() === behind.address()
  },
})
server.verbose = !server.verbose
const domain: string = server.domain
const listening: boolean = server.isStarted() && server.listening
const address: string | null = server.address()
server
  .start()
  .addHandlers({ later: async () => 'done' })
  .emit('alice', 'anything')
server.emit('alice', 'anything', { any: 'data' }, null).broadcast('anything', [1, 2], 'alice')
// @ts-expect-error: read only
server.domain = 'other'
// @ts-expect-error: no function
server.addHandlers({ later: 'soon' })
// @ts-expect-error: no object
server.addHandlers('later')
// @ts-expect-error: the command is missing
server.emit('alice')
// @ts-expect-error: the command is no string
server.broadcast(5)

const joined = ({ name, uuid }: ClientIdentity) => console.log(name, uuid)
server
  .on('connection', joined)
  .once('disconnection', ({ name }) => console.log(name.length))
  .on('relistened', (path: string) => path)
  .on('displaced', (path: string) => path)
  .addListener('dropped', ({ name, messages, bytes }: DroppedMessages) => name + messages + bytes)
  .prependListener('error', (error: Error) => console.error(error.message))
  .prependOnceListener('connection', joined)
  .off('connection', joined)
  .removeListener('connection', joined)
  .setMaxListeners(server.getMaxListeners() + server.listenerCount('error'))
  .removeAllListeners('connection')
server.listeners('connection').concat(server.rawListeners('connection'))
const events: ('connection' | 'disconnection' | 'dropped' | 'relistened' | 'displaced' | 'error')[] =
  server.eventNames()
// @ts-expect-error: no such event
server.on('arrival', joined)
// @ts-expect-error: the listener gets an object
server.on('connection', (name: string) => console.log(name))

const handlers: ClientHandlers = {
  news(container: ClientContainer<{ text: string }>) {
    const none: null = container.server ?? container.peer
    console.log(this.name, none, container.command, container.data.text)
    // @ts-expect-error: a client sees no process
    console.log(container.peer.pid)
  },
}
const client = new Client(clientOptions, handlers)
client.verbose = client.isConnected() || client.isStarted()
const name: string = client.name
const uuid: string | null = client.uuid
const { messages, bytes }: { readonly messages: number; readonly bytes: number } = client.queued
console.log(messages + bytes)
client
  .on('connect', () => {})
  .on('waiting', ({ path, reason }: Wait) => console.log(path, reason.code))
  .on('drain', () => {})
  .on('disconnect', () => {})
  .on('error', error => error.stack)
client.addHandlers({}).addHandlers({ echo: ({ data }) => data })
// @ts-expect-error: read only
client.name = 'bob'
// @ts-expect-error: an event of the server
client.on('connection', joined)

export async function traffic(): Promise<void> {
  await client.connect()
  await client.send('log', 'a line')
  await client.send('log', 'a line', 'id of a delivery')
  await client.send('binary', Buffer.from('bytes'))
  await client.emit('bob', 'news', { text: 'hello' })
  await client.broadcast('news', { text: 'hello' })
  const { clients, command_handlers, handlers }: Discovery = await client.discover()
  const sum: number = await client.deliver('add', { a: 1, b: 2 })
  const here: boolean = await client.deliver('bob', 'ping', null)
  const signal = AbortSignal.timeout(1000)
  const there: unknown = await client.deliver(null, 'ping', null, { timeout: 500, signal })
  console.log(clients, command_handlers, handlers, sum, here, there)
  // @ts-expect-error: the command is missing
  await client.send()
  // @ts-expect-error: a timeout is a number
  await client.deliver(null, 'ping', null, { timeout: '1 s' })
  // @ts-expect-error: a promise is no answer
  const text: string = client.deliver('add', { a: 1, b: 2 })
  console.log(text)

  const read: number = await server.deliver('sensor', 'read')
  const set: unknown = await server.deliver('sensor', 'set', { to: 3 }, { timeout: 500, signal })
  const listed: ConnectedClient[] = server.clients()
  for (const { name, uuid, pid, uid, gid, since, away, queued } of listed) {
    console.log(name + uuid, pid + uid + gid, since.getTime(), away || queued.messages + queued.bytes)
  }
  console.log(read, set)
  // @ts-expect-error: a server has to name the client
  await server.deliver(null, 'read', null)
  // @ts-expect-error: the command is missing
  await server.deliver('sensor')
  // @ts-expect-error: a timeout is a number
  await server.deliver('sensor', 'read', null, { timeout: '1 s' })
  // @ts-expect-error: a date is no number
  const since: number = server.clients()[0].since
  console.log(since)

  await client.close().catch(report)
  await server.close()
}

function answer(socket: Socket): void {
  if (!socket.writable) return
  const done = (error?: Error | null) => console.log(error)
  socket.once('close', () => {}).on('drain', () => {})
  socket.writeCommand('greeting')
  socket.writeCommand('greeting', { text: 'hello' }, done)
  socket.write('{}')
  socket.write('{}', done)
  socket.write('{}', 'utf8', done)
  console.log(socket.uuid, socket.destroyed)
  socket.end('{}').end().destroy()
  // @ts-expect-error: no such event
  socket.on('open', () => {})
}

function report({ name, message, code, remote, cause }: IpcError): void {
  if (code === 'ERR_IPC_CLOSED' || code === 'EADDRINUSE') console.log(name, message, remote, cause)
}

export { address, domain, events, listening, name, uuid }
