// Nothing here needs @types/node or the DOM's types: who has them gets no second copy of another
// version, and who has not (Deno, Bun, a program that is strict about its globals) need not.

import type {
  AnyCommands,
  CommandArguments,
  CommandData,
  CommandMap,
  CommandName,
  CommandResult,
} from './lib/types/commands.js'
import type { ClientEvents, Listenable, ServerEvents } from './lib/types/events.js'
import type { ClientHandlers, ServerHandlers } from './lib/types/handlers.js'
import type { ClientOptions, DeliverOptions, ServerOptions } from './lib/types/options.js'

export * from './lib/types/commands.js'
export * from './lib/types/errors.js'
export * from './lib/types/events.js'
export * from './lib/types/handlers.js'
export * from './lib/types/options.js'

/**
 * The server of a domain: clients connect to it, and it carries their messages to each other.
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
   * invalid value, `ERR_IPC_DOMAIN` for a domain's name that can't be part of a socket's path, and whatever {@link Server.addHandlers} throws.
   */
  constructor(options?: ServerOptions | null, handlers?: ServerHandlers<Commands> | null)

  /** Whether it prints to the console what happens. May be set at any time. */
  verbose: boolean

  /** The name of its domain. */
  readonly domain: string

  /** Whether its socket is there and takes clients, the same as {@link Server.isStarted}. */
  readonly listening: boolean

  /** Whether `start()` was called and `close()` was not. */
  isStarted(): boolean

  /** The path of its socket, or `null` while it is not started. */
  address(): string | null

  /**
   * Starts to take clients. The socket exists when this returns.
   *
   * @returns The server.
   * @throws An {@link IpcError}: `ERR_IPC_ALREADY_STARTED`; `EADDRINUSE` where another server runs on
   * the domain; `EACCES` where the socket's folder can't be written; `ERR_IPC_NOT_A_SOCKET` where a file
   * of another kind lies in its place.
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
   * @throws An {@link IpcError}, and adds none of them: `ERR_IPC_INVALID_ARGUMENT` for no object or a
   * value that is not a function; `ERR_IPC_RESTRICTED_COMMAND` for a name that is ipcio's own (handshake,
   * discover, broadcast, emit, deliver, error); `ERR_IPC_HANDLER_EXISTS`.
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
   * Sends a message to one client. Does nothing where no client has this name.
   *
   * @param client_name - The client's name.
   * @param command - Which of its handlers to call.
   * @param message - The data, and the id of a delivery that this answers (as in 0.6.2; handlers
   * answer by returning).
   * @returns The server.
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
   * @param command - Which of their handlers to call.
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
   * Sends what is still to be sent, for at most `closeTimeout`, then leaves its clients and removes the
   * socket. Its clients wait for the next server. `start()` may be called again afterwards.
   *
   * @returns A promise that resolves when nothing is open any more; also where it was not started.
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
 * A client of a domain. What it sends while there is no connection waits for one. A client that is
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
   * invalid value, `ERR_IPC_DOMAIN` for a domain's name that can't be part of a socket's path, and whatever {@link Client.addHandlers} throws.
   */
  constructor(options?: ClientOptions | null, handlers?: ClientHandlers<Commands> | null)

  /** Whether it prints to the console what happens. May be set at any time. */
  verbose: boolean

  /** What others call it. */
  readonly name: string

  /** The name of its domain. */
  readonly domain: string

  /** The id that the server gave it, 32 hex digits; `null` before its first connection and after `close()`. */
  readonly uuid: string | null

  /**
   * What waits to be sent, acknowledged or answered: how many messages, and their size in bytes, headers included. The size
   * has a limit, see {@link ClientOptions.queueLimit}.
   */
  readonly queued: { readonly messages: number; readonly bytes: number }

  /** Whether there is a connection now. */
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
   * Connects to the server of the domain. Where there is none it waits, and tries again for as long as
   * it takes; so it does whenever the connection is lost. The event `waiting` says why.
   *
   * @returns A promise that resolves when the connection is up. It rejects with an {@link IpcError}:
   * `ERR_IPC_NAME_TAKEN`, `ERR_IPC_NOT_TRUSTED`, `EACCES` and others of the system's where waiting would not help, or
   * `ERR_IPC_CLOSED` where `close()` was called meanwhile. After any of these, `connect()` may be called again.
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
   * @param command - Which of its handlers to call.
   * @param message - The data, and the id of a delivery that this answers (as in 0.6.2; handlers
   * answer by returning).
   * @returns A promise that resolves when the server has called the handler (a server of 0.6.2: when
   * the message is written). Until then it is kept and, after a lost connection, sent again. It
   * rejects with an {@link IpcError}: `ERR_IPC_INVALID_ARGUMENT`, `ERR_IPC_RESTRICTED_COMMAND`,
   * `ERR_IPC_NOT_SERIALIZABLE`, `ERR_IPC_MESSAGE_TOO_LARGE`, `ERR_IPC_QUEUE_FULL`, `ERR_IPC_CLOSED`. The last one is no
   * unhandled rejection if the program does not await the promise.
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
   * @param command - Which of its handlers to call.
   * @param data - What goes with it.
   * @returns A promise that resolves when the server has received it, also where no client has that
   * name: `deliver` is the way to know. It rejects as that of {@link Client.send}.
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
   * @param command - Which of their handlers to call.
   * @param data - What goes with it.
   * @returns A promise that resolves when the server has received it, and rejects as that of
   * {@link Client.send}.
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
   * Asks the server who is there and what it handles. Called again while the answer is under way, it
   * returns the same promise.
   *
   * @returns A promise for the answer. It rejects with `ERR_IPC_CLOSED`.
   * @example
   * ```js
   * const { clients, command_handlers } = await client.discover()
   * ```
   */
  discover(): Promise<Discovery>

  /**
   * Sends a message to the server, and waits for its handler's answer.
   *
   * @param command - Which of its handlers to call.
   * @param data - What goes with it.
   * @returns A promise for what the handler returns, or its promise resolves to; `null` for
   * `undefined`. It rejects as that of {@link Client.send}, and with what the handler threw (`remote` is
   * true; `ERR_IPC_HANDLER_THREW` where that had no code) or `ERR_IPC_NO_SUCH_COMMAND`.
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
   * Sends a message to another client or, where `client_name` is `null`, to the server, and waits for
   * the handler's answer.
   *
   * @param client_name - The other client's name, or `null`.
   * @param command - Which of its handlers to call.
   * @param data - What goes with it.
   * @param options - A time limit, in milliseconds, and a signal to give up on.
   * @returns A promise as that of the other form. It also rejects with `ERR_IPC_NO_SUCH_CLIENT`,
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
   * Waits, for at most `closeTimeout`, until all that was sent is received and answered, then leaves the
   * server. What is left then rejects with `ERR_IPC_CLOSED`, and so does what is sent from then on, until `connect()` is
   * called again.
   *
   * @returns A promise that resolves when nothing is open any more; also where it was not started.
   * @example
   * ```js
   * await client.close()
   * ```
   */
  close(): Promise<void>
}

export interface Client<Commands extends CommandMap<Commands> = AnyCommands>
  extends Listenable<ClientEvents> {}

/** What {@link Client.discover} finds. */
export interface Discovery {
  /** The names of the connected clients. */
  clients: string[]
  /** The commands that the server has handlers for. */
  command_handlers: string[]
  /** The same as `command_handlers`. Not enumerable, so that it is not printed twice. */
  readonly handlers: string[]
}
