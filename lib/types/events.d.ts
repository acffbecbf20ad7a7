import type { IpcError } from './errors.js'

/** The events of a server, and what their listeners are called with. */
export interface ServerEvents {
  /** A client has connected. */
  connection: [client: ClientIdentity]
  /** A client is gone: it was closed, its process ended, or its connection broke. */
  disconnection: [client: ClientIdentity]
  /**
   * Messages were given up: the client did not return within `resumeTimeout`, or had to make room (`awayLimit`,
   * `maxClients`); it did not read while `slowConsumerLimit` bytes waited for it, or does not accept messages of this size.
   */
  dropped: [loss: DroppedMessages]
  /** The file of its socket was removed, as cleaners of `/tmp` do, and has been made anew at `path`. */
  relistened: [path: string]
  /**
   * Another file has taken the path of its socket, such as the socket of a server of ipcio 0.6.2. Its clients stay
   * connected, and new ones cannot connect. Once the path is free, it listens there again and emits `relistened`.
   */
  displaced: [path: string]
  /** A handler threw, and its message was not a delivery. Without a listener it is an uncaught exception. */
  error: [error: Error]
}

/** The events of a client, and what their listeners are called with. */
export interface ClientEvents {
  /** The connection is up, for the first time or again. */
  connect: []
  /** The connection is gone. Unless the client was closed, it is looking for the server again. */
  disconnect: []
  /**
   * The client has no connection, for this reason, and keeps trying. Emitted when it begins to wait and when the reason changes, not
   * for each attempt.
   */
  waiting: [wait: Wait]
  /** Messages were refused with `ERR_IPC_QUEUE_FULL`, and there is room again: at most half of `queueLimit` is left. */
  drain: []
  /** A handler threw, and its message was not a delivery. Without a listener it is an uncaught exception. */
  error: [error: Error]
}

/** What a client waits for. */
export interface Wait {
  /** The path of its server's socket. */
  path: string
  /**
   * Why it is not connected, with a `code`: `ENOENT` and `ECONNREFUSED` where no server is there, `ERR_IPC_TIMEOUT` where one
   * does not answer the handshake, `ERR_IPC_NAME_TAKEN` where another client took the name meanwhile, and others.
   */
  reason: IpcError
}

/** The events of a handler's `container.socket`, and what their listeners are called with. */
export interface SocketEvents {
  /** The connection behind it has ended. */
  close: []
  /** What was written has been sent, and more may be written. */
  drain: []
}

/** A connected client, as a server sees it. */
export interface ClientIdentity {
  /** Its name. */
  name: string
  /** The id that the server gave it: 32 hex digits. */
  uuid: string
}

/** What was waiting for a client when it was given up. */
export interface DroppedMessages {
  /** The name of the client that was meant to have them. */
  name: string
  /** How many messages. */
  messages: number
  /** How many bytes of them. */
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
  /** Calls `listener` no more. */
  off<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** The same as `on`. */
  addListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** The same as `off`. */
  removeListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** As `on`, but `listener` is called before those that are there already. */
  prependListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** As `once`, but `listener` is called before those that are there already. */
  prependOnceListener<E extends keyof Events>(event: E, listener: Listener<Events[E]>): this
  /** Calls no listener of `event` any more, or none at all. */
  removeAllListeners(event?: keyof Events): this
  /** The listeners of `event`. */
  listeners<E extends keyof Events>(event: E): Listener<Events[E]>[]
  /** The listeners of `event`, with the wrappers that `once` makes. */
  rawListeners<E extends keyof Events>(event: E): Listener<Events[E]>[]
  /** How many listeners `event` has. */
  listenerCount(event: keyof Events): number
  /** The events that have listeners. */
  eventNames(): (keyof Events)[]
  /** How many listeners an event may have before Node.js warns of a leak. */
  getMaxListeners(): number
  /** Sets how many listeners an event may have before Node.js warns of a leak. */
  setMaxListeners(count: number): this
}

type Listener<Values extends any[]> = (...values: Values) => void
