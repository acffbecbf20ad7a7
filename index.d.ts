// Nothing here needs @types/node or the DOM's types. Programs that have them get no second copy of another
// version, and programs without them (Deno, Bun, or with strict globals) need not install them.

import type {
  AnyCommands,
  CommandArguments,
  CommandData,
  CommandMap,
  CommandName,
  CommandResult,
} from './lib/types/commands.js'
import type { ClientEvents, Listenable, ServerEvents } from './lib/types/events.js'
import type { ClientHandlers, Peer, ServerHandlers } from './lib/types/handlers.js'
import type { ClientOptions, DeliverOptions, ServerOptions } from './lib/types/options.js'

export * from './lib/types/commands.js'
export * from './lib/types/errors.js'
export * from './lib/types/events.js'
export * from './lib/types/handlers.js'
export * from './lib/types/options.js'

/**
 * The server of a domain: clients connect to it, and it relays messages between them.
 * A started server keeps the process alive.
 *
 * It extends Node's `EventEmitter`, but for `emit()`, which sends a message. Events: `connection`,
 * `disconnection`, `dropped`, `relistened`, `displaced` and `error`, see {@link ServerEvents}.
 *
 * @typeParam Commands - The commands of the domain, see {@link CommandMap}. Default: any.
 * @example
 * ```js
 * const { Server } = require('ipcio')
 *
 * const server = new Server({ domain: 'calculator' }, {
 *   add: ({ data }) => data.a + data.b,
 * })
 * server.start()
 * ```
 */
export class Server<Commands extends CommandMap<Commands> = AnyCommands> {
  /**
   * @param options - See {@link ServerOptions}.
   * @param handlers - As for {@link Server.addHandlers}.
   * @throws An {@link IpcError}: `ERR_IPC_INVALID_ARGUMENT` for an option that has the wrong type or an
   * invalid value, `ERR_IPC_DOMAIN` for a domain's name that can't be part of a socket's path, and what {@link Server.addHandlers} throws.
   */
  constructor(options?: ServerOptions | null, handlers?: ServerHandlers<Commands> | null)

  /** Whether it prints to the console what happens. May be set at any time. */
  verbose: boolean

  /** The name of its domain. */
  readonly domain: string

  /** Whether the server listens on its socket; the same as {@link Server.isStarted}. */
  readonly listening: boolean

  /** Whether `start()` was called and `close()` was not. */
  isStarted(): boolean

  /** The path of the server's socket, or `null` while it is not started. */
  address(): string | null

  /**
   * Starts to listen. The socket exists when this returns.
   *
   * @returns The server.
   * @throws An {@link IpcError}: `ERR_IPC_ALREADY_STARTED`; `EADDRINUSE` if another server runs on
   * the domain; `EACCES` if the socket's folder can't be written; `ERR_IPC_NOT_A_SOCKET` if another kind of file
   * is at the socket's path.
   * @example
   * ```js
   * if (!server.isStarted()) server.start()
   * console.log(`listening at ${server.address()}`)
   * ```
   */
  start(): this

  /**
   * Adds handlers, at any time. What a handler returns, or its promise resolves to, answers a
   * delivery; what it throws rejects it.
   *
   * @param handlers - Functions, by the command that each of them handles.
   * @returns The server.
   * @throws An {@link IpcError}, and then adds no handler: `ERR_IPC_INVALID_ARGUMENT` if `handlers` is not an object or
   * a value in it is not a function; `ERR_IPC_RESTRICTED_COMMAND` for a name that ipcio reserves (handshake,
   * discover, broadcast, emit, deliver, error); `ERR_IPC_HANDLER_EXISTS` if the command has a handler.
   * @example
   * ```js
   * server.addHandlers({
   *   async lookUp({ data, name }) {
   *     console.log(`${name} asks for ${data.id}`)
   *     return database.find(data.id)
   *   },
   * })
   * ```
   */
  addHandlers(handlers: ServerHandlers<Commands>): this

  /**
   * Sends a message to one client. Does nothing if no client has this name.
   *
   * @param client_name - The client's name.
   * @param command - The command whose handler the client calls.
   * @param message - The data, and the id of a delivery that this answers (as in 0.6.2; handlers
   * answer by returning).
   * @returns The server. The message is written at the end of the current tick.
   * @throws An {@link IpcError}: `ERR_IPC_INVALID_ARGUMENT`, `ERR_IPC_RESTRICTED_COMMAND`,
   * `ERR_IPC_NOT_SERIALIZABLE`, `ERR_IPC_MESSAGE_TOO_LARGE`.
   * @example
   * ```js
   * server.emit('alice', 'news', { text: 'Lunch is ready' })
   * ```
   */
  emit<C extends CommandName<Commands>>(
    client_name: string,
    command: C,
    ...message: [...data: CommandArguments<Commands, C>, delivery?: string | null]
  ): this

  /**
   * Sends a message to all clients.
   *
   * @param command - The command whose handler the clients call.
   * @param message - The data, and the name of a client to leave out.
   * @returns The server.
   * @throws As {@link Server.emit}.
   * @example
   * ```js
   * server.broadcast('news', { text: 'Closing in five minutes' })
   * ```
   */
  broadcast<C extends CommandName<Commands>>(
    command: C,
    ...message: [...data: CommandArguments<Commands, C>, initiator_client?: string | null]
  ): this

  /**
   * Asks one client, and waits for its handler's answer. A client whose connection is lost has two seconds to come back
   * for it.
   *
   * @param client_name - The client's name.
   * @param command - Which of its handlers to call.
   * @param data - What goes with it.
   * @param options - A time limit, in milliseconds, and a signal to give up on.
   * @returns A promise for what the handler returns, or its promise resolves to; `null` for `undefined`, and where a
   * client of ipcio 0.6.2 has no such handler. It rejects with what the handler threw (`remote` is true;
   * `ERR_IPC_HANDLER_THREW` where that had no code), with the signal's reason, or with an {@link IpcError}:
   * `ERR_IPC_NO_SUCH_CLIENT`, `ERR_IPC_NO_SUCH_COMMAND`, `ERR_IPC_CLIENT_LEFT`, `ERR_IPC_TIMEOUT`, `ERR_IPC_CLOSED` where
   * the server is closed, `ERR_IPC_TOO_MANY_DELIVERIES`, `ERR_IPC_INVALID_ARGUMENT`, `ERR_IPC_RESTRICTED_COMMAND`,
   * `ERR_IPC_NOT_SERIALIZABLE`, `ERR_IPC_MESSAGE_TOO_LARGE`.
   * @example
   * ```js
   * const { degrees } = await server.deliver('sensor', 'read', null, { timeout: 5000 })
   * ```
   */
  deliver<C extends CommandName<Commands>>(
    client_name: string,
    command: C,
    ...message: [...data: CommandArguments<Commands, C>, options?: DeliverOptions | null]
  ): Promise<CommandResult<Commands, C>>

  /**
   * Lists the clients that are connected, and those that are away: their connection is lost, and the server keeps what
   * waits for them for `resumeTimeout`.
   *
   * @returns A new array, in the order in which they first came. It is empty while the server is not started.
   * @example
   * ```js
   * for (const { name, pid, queued } of server.clients()) {
   *   console.log(`${name} is process ${pid}, and ${queued.messages} messages wait for it`)
   * }
   * ```
   */
  clients(): ConnectedClient[]

  /**
   * Sends what is queued and waits for answers, for at most `closeTimeout` milliseconds. Then it disconnects the clients
   * and removes the socket. Deliveries of the server that have no answer then reject with `ERR_IPC_CLOSED`. The clients
   * wait for the next server. You can call `start()` again afterwards.
   *
   * @returns A promise that resolves when the server is closed, at once if it was not started. It never rejects.
   * @example
   * ```js
   * process.once('SIGTERM', () => server.close())
   * ```
   */
  close(): Promise<void>
}

export interface Server<Commands extends CommandMap<Commands> = AnyCommands>
  extends Listenable<ServerEvents> {}

/**
 * A client of a domain. Messages that it sends without a connection wait for one. A client that is
 * connected, or waits for its server, keeps the process alive.
 *
 * It extends Node's `EventEmitter`, but for `emit()`, which sends a message. Events: `connect`,
 * `disconnect`, `waiting`, `drain` and `error`, see {@link ClientEvents}.
 *
 * @typeParam Commands - The commands of the domain, see {@link CommandMap}. Default: any.
 * @example
 * ```js
 * const { Client } = require('ipcio')
 *
 * const client = new Client({ domain: 'calculator', name: 'alice' })
 * await client.connect()
 * console.log(await client.deliver('add', { a: 1, b: 2 })) // 3
 * await client.close()
 * ```
 */
export class Client<Commands extends CommandMap<Commands> = AnyCommands> {
  /**
   * @param options - See {@link ClientOptions}.
   * @param handlers - As for {@link Client.addHandlers}.
   * @throws An {@link IpcError}: `ERR_IPC_INVALID_ARGUMENT` for an option that has the wrong type or an
   * invalid value, `ERR_IPC_DOMAIN` for a domain's name that can't be part of a socket's path, and what {@link Client.addHandlers} throws.
   */
  constructor(options?: ClientOptions | null, handlers?: ClientHandlers<Commands> | null)

  /** Whether it prints to the console what happens. May be set at any time. */
  verbose: boolean

  /** Its name, which other clients and the server send messages to. */
  readonly name: string

  /** The name of its domain. */
  readonly domain: string

  /** The id that the server gave it, 32 hex digits; `null` before its first connection and after `close()`. */
  readonly uuid: string | null

  /**
   * The messages that wait to be sent, acknowledged or answered: their number, and their size in bytes with headers. The
   * size has a limit, see {@link ClientOptions.queueLimit}.
   */
  readonly queued: { readonly messages: number; readonly bytes: number }

  /** Whether the client is connected now. */
  isConnected(): boolean

  /** Whether `connect()` was called and `close()` was not. */
  isStarted(): boolean

  /**
   * Adds handlers, at any time. What a handler returns, or its promise resolves to, answers a
   * delivery; what it throws rejects it.
   *
   * @param handlers - Functions, by the command that each of them handles.
   * @returns The client.
   * @throws As {@link Server.addHandlers}.
   * @example
   * ```js
   * client.addHandlers({
   *   news: ({ data, from }) => console.log(`${from || 'the server'} says: ${data.text}`),
   * })
   * ```
   */
  addHandlers(handlers: ClientHandlers<Commands>): this

  /**
   * Connects to the server of the domain. If there is no server, the client waits and tries again until it is
   * connected or closed. It does the same whenever the connection is lost. The event `waiting` says why.
   *
   * @returns A promise that resolves when the connection is up. It rejects with an {@link IpcError}:
   * `ERR_IPC_NAME_TAKEN`, `ERR_IPC_NOT_TRUSTED`, `EACCES` and other codes of the system if waiting would not help, or
   * `ERR_IPC_CLOSED` if `close()` was called meanwhile. After any of these, you can call `connect()` again.
   * @throws An {@link IpcError}, at once: `ERR_IPC_ALREADY_STARTED`.
   * @example
   * ```js
   * await client.connect()
   * ```
   */
  connect(): Promise<void>

  /**
   * Sends a message to the server.
   *
   * @param command - The command whose handler the server calls.
   * @param message - The data, and the id of a delivery that this answers (as in 0.6.2; handlers
   * answer by returning).
   * @returns A promise that resolves when the server has called the handler (a server of 0.6.2: when
   * the message is written). Until then the client keeps the message, and sends it again after a lost connection. It
   * rejects with an {@link IpcError}: `ERR_IPC_INVALID_ARGUMENT`, `ERR_IPC_RESTRICTED_COMMAND`,
   * `ERR_IPC_NOT_SERIALIZABLE`, `ERR_IPC_MESSAGE_TOO_LARGE`, `ERR_IPC_QUEUE_FULL`, `ERR_IPC_CLOSED`. The last one
   * causes no unhandled rejection.
   * @example
   * ```js
   * await client.send('log', { level: 'info', text: 'up and running' })
   * ```
   */
  send<C extends CommandName<Commands>>(
    command: C,
    ...message: [...data: CommandArguments<Commands, C>, delivery?: string | null]
  ): Promise<void>

  /**
   * Sends a message to another client, through the server.
   *
   * @param client_name - The other client's name.
   * @param command - The command whose handler that client calls.
   * @param data - The data of the message.
   * @returns A promise that resolves when the server has received the message, even if no client has that
   * name; use {@link Client.deliver} to know. It rejects as the promise of {@link Client.send} does.
   * @example
   * ```js
   * await client.emit('bob', 'news', { text: 'The build is green' })
   * ```
   */
  emit<C extends CommandName<Commands>>(
    client_name: string,
    command: C,
    ...data: CommandArguments<Commands, C>
  ): Promise<void>

  /**
   * Sends a message to all other clients of the domain, through the server.
   *
   * @param command - The command whose handler the other clients call.
   * @param data - The data of the message.
   * @returns A promise that resolves when the server has received the message, and rejects as the promise of
   * {@link Client.send} does.
   * @example
   * ```js
   * await client.broadcast('news', { text: 'I am leaving' })
   * ```
   */
  broadcast<C extends CommandName<Commands>>(
    command: C,
    ...data: CommandArguments<Commands, C>
  ): Promise<void>

  /**
   * Asks the server for the names of the connected clients and for the commands that it handles. If you call this again
   * before the answer is here, it returns the same promise.
   *
   * @returns A promise for the answer. It rejects with an {@link IpcError}: `ERR_IPC_CLOSED`, `ERR_IPC_QUEUE_FULL`, or
   * `ERR_IPC_MESSAGE_TOO_LARGE` if the answer is larger than `maxMessageSize`.
   * @example
   * ```js
   * const { clients, command_handlers } = await client.discover()
   * ```
   */
  discover(): Promise<Discovery>

  /**
   * Sends a message to the server, and waits for its handler's answer.
   *
   * @param command - The command whose handler the server calls.
   * @param data - The data of the message.
   * @returns A promise for what the handler returns, or what its promise resolves to; `null` for
   * `undefined`. It rejects as the promise of {@link Client.send} does, and with what the handler threw (`remote` is
   * true; the code is `ERR_IPC_HANDLER_THREW` if that had none), `ERR_IPC_NO_SUCH_COMMAND`, or
   * `ERR_IPC_TOO_MANY_DELIVERIES`.
   * @example
   * ```js
   * const sum = await client.deliver('add', { a: 1, b: 2 })
   * ```
   */
  deliver<C extends CommandName<Commands>>(
    command: C,
    ...data: CommandArguments<Commands, C>
  ): Promise<CommandResult<Commands, C>>

  /**
   * Sends a message to another client or, if `client_name` is `null`, to the server, and waits for
   * the handler's answer.
   *
   * @param client_name - The other client's name, or `null`.
   * @param command - The command whose handler the receiver calls.
   * @param data - The data of the message.
   * @param options - A time limit in milliseconds, and a signal that cancels the delivery.
   * @returns A promise like that of the other form. It also rejects with `ERR_IPC_NO_SUCH_CLIENT`,
   * `ERR_IPC_CLIENT_LEFT`, `ERR_IPC_TIMEOUT`, or the signal's reason (by default an error whose name is
   * `AbortError`).
   * @example
   * ```js
   * const answer = await client.deliver('bob', 'review', { change: 42 }, { timeout: 5000 })
   * ```
   */
  deliver<C extends CommandName<Commands>>(
    client_name: string | null | undefined,
    command: C,
    data: CommandData<Commands, C>,
    options?: DeliverOptions | null,
  ): Promise<CommandResult<Commands, C>>

  /**
   * Waits, for at most `closeTimeout` milliseconds, until everything that was sent is received and answered, then
   * disconnects. What is unfinished by then rejects with `ERR_IPC_CLOSED`, and so does what is sent later, until
   * `connect()` is called again.
   *
   * @returns A promise that resolves when the client is closed, at once if it was not started. It never rejects.
   * @example
   * ```js
   * await client.close()
   * ```
   */
  close(): Promise<void>
}

export interface Client<Commands extends CommandMap<Commands> = AnyCommands>
  extends Listenable<ClientEvents> {}

/** A client, as {@link Server.clients} lists it. */
export interface ConnectedClient extends Peer {
  /** Its name. */
  name: string
  /** The id that the server gave it, 32 hex digits. */
  uuid: string
  /** Since when it has been connected or, where it is away, since when it has been so. */
  since: Date
  /** Whether its connection is lost and it is expected back. `pid`, `uid` and `gid` are those of the lost connection then. */
  away: boolean
  /** What waits for it: messages and answers that it has not acknowledged, and the bytes that are kept for it. */
  queued: { messages: number; bytes: number }
}

/** What {@link Client.discover} resolves to. */
export interface Discovery {
  /** The names of the connected clients. */
  clients: string[]
  /** The commands that the server has handlers for. */
  command_handlers: string[]
  /** The same as `command_handlers`. Not enumerable, so that it is not printed twice. */
  readonly handlers: string[]
}
