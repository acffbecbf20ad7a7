import type { IpcError } from './errors.js'

/** The events of a server, with the arguments of their listeners. */
export interface ServerEvents {
  /** A client has connected. */
  connection: [client: ClientIdentity]
  /** A client has disconnected: it was closed, its process ended, or its connection broke. */
  disconnection: [client: ClientIdentity]
  /**
   * Messages for a client were dropped. It did not return within `resumeTimeout`, the limit for clients that are away was
   * reached (`awayLimit`, `maxClients`), it did not read while `slowConsumerLimit` bytes waited for it, or it does not
   * accept messages of this size.
   */
  dropped: [loss: DroppedMessages]
  /** The file of the server's socket was removed, as cleaners of `/tmp` do. The server has created it again at `path`. */
  relistened: [path: string]
  /**
   * Another file has taken the path of the server's socket, such as the socket of a server of ipcio 0.6.2. Connected
   * clients stay connected, and others cannot connect. Once the path is free, the server listens there again and emits
   * `relistened`.
   */
  displaced: [path: string]
  /** A handler threw, and its message was not a delivery. Without a listener it is an uncaught exception. */
  error: [error: Error]
}

/** The events of a client, with the arguments of their listeners. */
export interface ClientEvents {
  /** The connection is up, for the first time or again. */
  connect: []
  /** The connection is lost or closed. Unless the client was closed, it tries to connect again. */
  disconnect: []
  /**
   * The client is not connected and keeps trying; `wait` has the reason. Emitted when it begins to wait and when the reason
   * changes, not for each attempt.
   */
  waiting: [wait: Wait]
  /** Messages were refused with `ERR_IPC_QUEUE_FULL`, and now at most half of `queueLimit` is in use. */
  drain: []
  /** A handler threw, and its message was not a delivery. Without a listener it is an uncaught exception. */
  error: [error: Error]
}

/** What a client waits for. */
export interface Wait {
  /** The path of its server's socket. */
  path: string
  /**
   * Why it is not connected, with a `code`: `ENOENT` and `ECONNREFUSED` if no server runs, `ERR_IPC_TIMEOUT` if the server
   * does not answer the handshake, `ERR_IPC_NAME_TAKEN` if another client took the name meanwhile, and others.
   */
  reason: IpcError
}

/** The events of a handler's `container.socket`, with the arguments of their listeners. */
export interface SocketEvents {
  /** The connection has ended. */
  close: []
  /** After `writeCommand` or `write` returned false: what was written has been sent, and you can write again. */
  drain: []
}

/** A connected client, as a server sees it. */
export interface ClientIdentity {
  /** Its name. */
  name: string
  /** The id that the server gave it: 32 hex digits. */
  uuid: string
}

/** The messages for a client that a server has dropped. */
export interface DroppedMessages {
  /** The name of the client that they were for. */
  name: string
  /** The number of messages. */
  messages: number
  /** Their size, in bytes. */
  bytes: number
}

/**
 * The listening half of Node's `EventEmitter`, which Server and Client extend. The other half is not
 * declared: their own `emit()` sends a message, so for the compiler they are no `EventEmitter`. It
 * also saves TypeScript programs from having to install `@types/node`.
 */
export interface Listenable<Events extends { [E in keyof Events]: any[] }> {
  /** Calls `listener` each time that `event` happens. */
  on<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** Calls `listener` the next time that `event` happens. */
  once<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** Removes a listener. */
  off<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** The same as `on`. */
  addListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** The same as `off`. */
  removeListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** As `on`, but `listener` is called before the listeners that were added earlier. */
  prependListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** As `once`, but `listener` is called before the listeners that were added earlier. */
  prependOnceListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** Removes all listeners of `event`, or of all events if none is given. */
  removeAllListeners(event?: keyof Events): this
  /** The listeners of `event`. */
  listeners<E extends keyof Events>(event: E): Listener<Events[E]>[]
  /** The listeners of `event`, with the wrappers that `once` makes. */
  rawListeners<E extends keyof Events>(event: E): Listener<Events[E]>[]
  /** The number of listeners that `event` has. */
  listenerCount(event: keyof Events): number
  /** The events that have listeners. */
  eventNames(): (keyof Events)[]
  /** How many listeners an event may have before Node.js warns of a leak. */
  getMaxListeners(): number
  /** Sets how many listeners an event may have before Node.js warns of a leak. */
  setMaxListeners(count: number): this
}

type Listener<Values extends any[]> = (...values: Values) => void
