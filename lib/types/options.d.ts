/** What a server and a client have in common. Everything may be left out. */
export interface CommonOptions {
  /** Prints to the console what happens. Default: `false`. */
  verbose?: boolean
  /**
   * Server and clients of one domain find each other. No `/`, no NUL, and short enough for a socket's
   * path (`/tmp/IPC.io.<domain>`). Default: `'default'`.
   */
  domain?: string
  /** Accepted for the sake of programs written for 0.6.2: text arrives intact whatever is given. Default: `'utf8'`. */
  encoding?: Encoding
  /**
   * What reads and writes: `'loop'`, the event loop of Node.js itself, or `'thread'`, a
   * thread beside it. See docs/drivers.md. Default: the environment's `IPCIO_DRIVER`, else `'loop'`
   * on Node.js and `'thread'` on Bun, Deno and Electron.
   */
  driver?: Driver
  /**
   * The user ids, besides our own and root's, that the other side may have, or `'any'`.
   * Default: `[]`.
   */
  allowUsers?: number[] | 'any'
  /** The longest message to send or accept, in bytes. Default: `268435456` (256 MiB). */
  maxMessageSize?: number
  /**
   * How long to go on looking for the next message before going back to sleep, in microseconds. Makes
   * round trips several times shorter and counts as busy in `eventLoopUtilization`. `0` turns it off.
   * The thread driver has no use for it. Default: `50`.
   */
  busyPoll?: number
  /** How long `close()` waits for what is under way, in milliseconds. Default: `5000`. */
  closeTimeout?: number
}

/** What a server can be told. Everything may be left out. */
export interface ServerOptions extends CommonOptions {
  /** The permissions of the socket's file. Default: `0o600`, our own user only. */
  mode?: number
  /**
   * How many clients there may be, connected and away together. A client that is away gives its place up to one that
   * comes: first those for which nothing waits, then the others, with the event `dropped`, the one that has been away
   * longest first. Where all are connected, others have to wait. Default: `65536`.
   */
  maxClients?: number
  /** How long a new connection may take to complete the handshake, in milliseconds. Default: `10000`. */
  handshakeTimeout?: number
  /**
   * How much may wait to be written to one client that does not read, in bytes, before it is dropped. What was written
   * and not acknowledged may be as much again, and 64 MiB in any case.
   * Default: `536870912` (512 MiB).
   */
  slowConsumerLimit?: number
  /**
   * How much of messages that have begun to arrive and are not complete the server holds, of all connections, in bytes.
   * Half of it is kept free for what handlers have just been given. Beyond the other half, of messages above 64 KiB only
   * the one nearest to completion is read, and the others wait in their sockets; one that does not go on for two seconds
   * while others wait loses its connection, and may resume its session. With 0, large messages are always read one after
   * the other. Default: `536870912` (512 MiB).
   */
  unfinishedLimit?: number
  /**
   * How many deliveries of one client may wait for their answers, at the server and at other clients together. Further
   * ones reject with `ERR_IPC_TOO_MANY_DELIVERIES`. Default: `262144`.
   */
  maxDeliveries?: number
  /**
   * How much may be kept for all clients together that are away, in bytes: messages, of which a broadcast counts once,
   * names and ids. Beyond it, the client for which the most has waited for the longest time is given up, with the event
   * `dropped`. With `0`, nothing is kept: a client that loses its connection starts a new session. Default: `536870912` (512 MiB).
   */
  awayLimit?: number
  /**
   * How long what waits for a client is kept after its connection broke, in milliseconds.
   * Default: `60000`.
   */
  resumeTimeout?: number
}

/** What a client can be told. Everything may be left out. */
export interface ClientOptions extends CommonOptions {
  /** What others call this client. Only one client of a domain can have it. Default: a random UUID without dashes. */
  name?: string
  /**
   * The most that is kept of what waits to be sent, acknowledged or answered, in bytes. What is sent beyond it rejects
   * with `ERR_IPC_QUEUE_FULL`, and `drain` is emitted once at most half is left. One message is always taken, whatever
   * its size. See {@link Client.queued}. Default: `536870912` (512 MiB).
   */
  queueLimit?: number
}

/** What a delivery can be told. */
export interface DeliverOptions {
  /** How long the answer may take, in milliseconds. Default: as long as it takes. */
  timeout?: number
  /** Gives up on the answer when it is aborted. The handler may run all the same. */
  signal?: AbortSignalLike
}

/** Who reads and writes, see {@link CommonOptions.driver}. */
export type Driver = 'loop' | 'thread'

/** The encodings that Node.js knows. */
export type Encoding = EncodingName | Uppercase<EncodingName>

type EncodingName =
  | 'ascii'
  | 'base64'
  | 'base64url'
  | 'binary'
  | 'hex'
  | 'latin1'
  | 'ucs-2'
  | 'ucs2'
  | 'utf-16le'
  | 'utf-8'
  | 'utf16le'
  | 'utf8'

/** As much of an `AbortSignal` as is used here, so that neither the DOM's types nor Node's are needed. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason?: any
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}
