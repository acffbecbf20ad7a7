import type { Client, Server } from '../../index.js'
import type { AnyCommands, CommandData, CommandMap, CommandName, CommandResult } from './commands.js'
import type { Listenable, SocketEvents } from './events.js'

/** A server's handlers, by the command that each of them handles. */
export type ServerHandlers<Commands extends CommandMap<Commands> = AnyCommands> = {
  [C in CommandName<Commands>]?: (
    this: Server<Commands>,
    container: ServerContainer<CommandData<Commands, C>, Commands>,
  ) => Answer<CommandResult<Commands, C>>
}

/** A client's handlers, by the command that each of them handles. */
export type ClientHandlers<Commands extends CommandMap<Commands> = AnyCommands> = {
  [C in CommandName<Commands>]?: (
    this: Client<Commands>,
    container: ClientContainer<CommandData<Commands, C>>,
  ) => Answer<CommandResult<Commands, C>>
}

/**
 * What a handler returns: the answer to a delivery, or a promise for it. If no answer is declared, a handler may
 * return anything.
 */
export type Answer<Result> = [Result] extends [void] ? unknown : Result | PromiseLike<Result>

/** The argument of every handler. */
export interface Container<Data = any> {
  /** The command that it came with. */
  command: string
  /**
   * The data of the message, as JSON preserves it; `null` if it has none. Binary data (a `Buffer`, typed
   * array or `ArrayBuffer` as the data itself) arrives as a `Buffer`.
   */
  data: Data
  /** On a server the sender's name, on a client its own. */
  name: string
  /** The same as `name`. */
  client_name: string
  /** On a server the sender's id, on a client its own: 32 hex digits. */
  uuid: string
  /** The name of the sender; an empty string if the server sent it. */
  from: string
  /** Whether the message may have been handled before: it was sent again because it was not acknowledged. */
  redelivered: boolean
  /** The sender's socket, see {@link Socket}. */
  socket: Socket
}

/** The argument of a server's handlers. */
export interface ServerContainer<Data = any, Commands extends CommandMap<Commands> = AnyCommands>
  extends Container<Data> {
  /** The server itself. */
  server: Server<Commands>
  /**
   * The process behind the connection that it came through.
   *
   * @example
   * ```js
   * const handlers = {
   *   shutDown({ peer }) {
   *     if (peer.uid !== 0) throw new Error('Only root may shut it down')
   *     process.kill(process.pid, 'SIGTERM')
   *   },
   * }
   * ```
   */
  peer: Readonly<Peer>
}

/** A process, as the kernel says: the one that made the connection, and what it was then. */
export interface Peer {
  /** Its process id; 0 where the kernel can't say, as for a process in another PID namespace. */
  pid: number
  /** The id of its user; 4294967295 where the user has none in this user namespace. */
  uid: number
  /** The id of its group. */
  gid: number
}

/** The argument of a client's handlers. */
export interface ClientContainer<Data = any> extends Container<Data> {
  /** Always `null`, as in 0.6.2. */
  server: null
  /** Always `null`: only a server sees who connects. */
  peer: null
}

/**
 * Writes directly to the other side of the connection that a message came through. On a server this is the client, and it
 * stays the same when that client reconnects. On a client this is the server.
 */
export interface Socket extends Listenable<SocketEvents> {
  /** The id of the session: 32 hex digits. */
  readonly uuid: string
  /** Whether it can be written to. */
  readonly writable: boolean
  /** The opposite of `writable`. */
  readonly destroyed: boolean
  /**
   * Sends a command.
   *
   * @param command - Its name.
   * @param data - The data of the message.
   * @param callback - Called once the message is on its way, or with the error that prevented that.
   * @returns Whether you can write more now. If not, wait for `drain`.
   * @throws If there is no callback, an `IpcError`: `ERR_IPC_INVALID_ARGUMENT`,
   * `ERR_IPC_RESTRICTED_COMMAND`, `ERR_IPC_NOT_SERIALIZABLE`, `ERR_IPC_MESSAGE_TOO_LARGE`.
   * @example
   * ```js
   * const handlers = {
   *   greet({ data, socket }) {
   *     socket.writeCommand('greeting', `Hello ${data}`)
   *   },
   * }
   * ```
   */
  writeCommand(command: string, data?: any, callback?: WriteCallback): boolean
  /**
   * Sends messages that are already in the text form of ipcio 0.6.2.
   *
   * @param text - One or several complete messages, with nothing in between.
   * @param encoding - Ignored: text arrives intact.
   * @param callback - As for `writeCommand`.
   * @returns As `writeCommand`.
   * @throws As `writeCommand`.
   */
  write(text: string, encoding?: string, callback?: WriteCallback): boolean
  write(text: string, callback?: WriteCallback): boolean
  /**
   * Ends the connection once everything is written. A client reconnects by itself.
   *
   * @param text - Written before, as with `write`.
   * @returns The socket.
   */
  end(text?: string): this
  /** Ends the connection at once, and returns the socket. A client reconnects by itself. */
  destroy(): this
}

type WriteCallback = (error?: Error | null) => void
