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
 * What a handler returns: the answer to a delivery, or a promise for it. Where no answer is declared
 * it may return what it likes.
 */
export type Answer<Result> = [Result] extends [void] ? unknown : Result | PromiseLike<Result>

/** What every handler is called with. */
export interface Container<Data = any> {
  /**
   * What was sent, as JSON preserves it; `null` where nothing was. Binary data (a `Buffer`, typed
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
  /** The connection that it came through. */
  socket: Socket
}

/** What a server's handlers are called with. */
export interface ServerContainer<Data = any, Commands extends CommandMap<Commands> = AnyCommands>
  extends Container<Data> {
  /** The server itself. */
  server: Server<Commands>
}

/** What a client's handlers are called with. */
export interface ClientContainer<Data = any> extends Container<Data> {
  /** Always `null`: a client has no server to show. */
  server: null
}

/**
 * The sender of a handler's message, to be written to directly: on a server the client, through all of
 * its connections, on a client the server.
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
   * @param data - What goes with it.
   * @param callback - Called once the message is on its way, or with the error that prevented that.
   * @returns Whether more may be written now; if not, `drain` tells when.
   * @throws Where there is no callback, an `IpcError`: `ERR_IPC_INVALID_ARGUMENT`,
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
   * Sends messages that are in the text form of ipcio 0.6.2 already.
   *
   * @param text - One whole message or several, with nothing in between.
   * @param encoding - Ignored: text arrives intact.
   * @param callback - As for `writeCommand`.
   * @returns As `writeCommand`.
   * @throws As `writeCommand`.
   */
  write(text: string, encoding?: string, callback?: WriteCallback): boolean
  write(text: string, callback?: WriteCallback): boolean
  /** Ends the connection once everything is written, after a last `write(text)` if there is a text. A client comes back by itself. */
  end(text?: string): this
  /** Ends the connection at once. A client comes back by itself. */
  destroy(): this
}

type WriteCallback = (error?: Error | null) => void
