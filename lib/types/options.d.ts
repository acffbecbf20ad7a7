/** Options of servers and clients. All are optional. */
export interface CommonOptions {
  /** Whether to print what happens to the console. Default: `false`. */
  verbose?: boolean
  /**
   * The domain: a server and clients with the same domain find each other. It has no `/` and no NUL, and is short enough
   * for a socket's path (`/tmp/IPC.io.<domain>`). Default: `'default'`.
   */
  domain?: string
  /** Has no effect; accepted for programs written for 0.6.2. Text always arrives intact. Default: `'utf8'`. */
  encoding?: Encoding
  /**
   * What reads and writes the sockets: `'loop'`, the event loop of Node.js itself, or `'thread'`, a
   * separate thread. See docs/drivers.md. Default: the environment's `IPCIO_DRIVER`, else `'loop'`
   * on Node.js and `'thread'` on Bun, Deno and Electron.
   */
  driver?: Driver
  /**
   * The user ids that the other side may have, besides this process's own and root's, or `'any'`.
   * Default: `[]`.
   */
  allowUsers?: number[] | 'any'
  /** The longest message to send or accept, in bytes. Default: `268435456` (256 MiB). */
  maxMessageSize?: number
  /**
   * How long to poll for the next message before the event loop sleeps, in microseconds. Polling makes
   * round trips several times shorter, and counts as busy in `eventLoopUtilization`. `0` turns it off.
   * The thread driver ignores it. Default: `50`.
   */
  busyPoll?: number
  /** How long `close()` waits for unfinished messages and answers, in milliseconds. Default: `5000`. */
  closeTimeout?: number
}

/** Options of a server. All are optional. */
export interface ServerOptions extends CommonOptions {
  /** The permissions of the socket's file. Default: `0o600`, only the server's own user. */
  mode?: number
  /**
   * The most clients, connected and away together. If a new client connects at the limit, the server forgets one that is
   * away: first clients without waiting messages, then the others, with the event `dropped`; among these the one that has
   * been away longest. If all are connected, the new client waits. Default: `65536`.
   */
  maxClients?: number
  /** How long a new connection may take to complete the handshake, in milliseconds. Default: `10000`. */
  handshakeTimeout?: number
  /**
   * How much may wait to be written to a client that does not read, in bytes, before the server drops the client. Written
   * messages that are not acknowledged may be as much again, and at least 64 MiB.
   * Default: `536870912` (512 MiB).
   */
  slowConsumerLimit?: number
  /**
   * How many bytes of incomplete messages the server holds, of all connections together. Half of it is reserved for
   * messages that handlers have just received. Beyond the other half, the server reads only one message above 64 KiB at a
   * time, the one nearest to completion, and the others wait in their sockets. If that one makes no progress for two
   * seconds while others wait, its client loses the connection, and may resume the session. With `0`, the server always
   * reads large messages one after the other. Default: `536870912` (512 MiB).
   */
  unfinishedLimit?: number
  /**
   * How many deliveries of one client may wait for an answer, from the server and from other clients together. Further
   * ones reject with `ERR_IPC_TOO_MANY_DELIVERIES`. Default: `262144`.
   */
  maxDeliveries?: number
  /**
   * How much the server keeps for all clients that are away, in bytes: messages, names and ids. A broadcast counts once.
   * Beyond it, the server drops the client for which the most has waited for the longest time, with the event `dropped`.
   * With `0`, nothing is kept: a client that loses its connection starts a new session. Default: `536870912` (512 MiB).
   */
  awayLimit?: number
  /**
   * How long the server keeps a client's session and messages after the connection broke, in milliseconds.
   * Default: `60000`.
   */
  resumeTimeout?: number
}

/** Options of a client. All are optional. */
export interface ClientOptions extends CommonOptions {
  /** The client's name. Only one client of a domain can have it. Default: a random UUID without dashes. */
  name?: string
  /**
   * How many bytes of messages may wait to be sent, acknowledged or answered. Beyond it, sending rejects with
   * `ERR_IPC_QUEUE_FULL`, and `drain` is emitted once at most half is left. An empty queue takes one message of any
   * size. See {@link Client.queued}. Default: `536870912` (512 MiB).
   */
  queueLimit?: number
}

/** Options of a delivery. All are optional. */
export interface DeliverOptions {
  /** How long the answer may take, in milliseconds. Default: no limit. */
  timeout?: number
  /** Cancels the delivery when it is aborted. The handler may run nevertheless. */
  signal?: AbortSignalLike
}

/** What reads and writes the sockets, see {@link CommonOptions.driver}. */
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

/** The part of `AbortSignal` that ipcio uses, so that the types need neither the DOM's nor Node's. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason?: any
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}
