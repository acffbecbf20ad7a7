/**
 * The errors that ipcio throws and rejects with. The message is one sentence that says what to do. Use `code` to
 * tell errors apart.
 *
 * @example
 * ```ts
 * try {
 *   await client.deliver('alice', 'add', { a: 1, b: 2 })
 * } catch (error) {
 *   if ((error as IpcError).code === 'ERR_IPC_NO_SUCH_CLIENT') console.log('alice is not here')
 *   else throw error
 * }
 * ```
 */
export interface IpcError extends Error {
  /**
   * One of ipcio's codes; the system's own for a socket that can't be made (`EADDRINUSE`, `EACCES`);
   * or, if `remote` is true, the code of the error that the handler threw.
   */
  code: ErrorCode | (string & {})
  /**
   * True if a handler on the other side threw this error: name, message and code are those of that error. A code that was
   * a number there is a number here.
   */
  remote?: boolean
  /** The error behind this one, if there is one. */
  cause?: unknown
}

/** The codes of ipcio's own errors. docs/errors.md lists their causes. */
export type ErrorCode =
  /** The process may load no native addons: `--no-addons`, or `--permission` without `--allow-addons`. */
  | 'ERR_IPC_ADDONS_DISABLED'
  /** `start()` or `connect()` was called twice. */
  | 'ERR_IPC_ALREADY_STARTED'
  /** The target of a delivery left before it answered. */
  | 'ERR_IPC_CLIENT_LEFT'
  /** The client or the server was closed before this was done. */
  | 'ERR_IPC_CLOSED'
  /** The domain's name can't be part of a socket's path. */
  | 'ERR_IPC_DOMAIN'
  /** The command already has a handler. */
  | 'ERR_IPC_HANDLER_EXISTS'
  /** A handler on the other side threw something without a code. */
  | 'ERR_IPC_HANDLER_THREW'
  /** An argument or an option has the wrong type or an invalid value. */
  | 'ERR_IPC_INVALID_ARGUMENT'
  /** A large answer is not JSON: the program on the other side is not ipcio. */
  | 'ERR_IPC_INVALID_JSON'
  /** The message is larger than `maxMessageSize`. */
  | 'ERR_IPC_MESSAGE_TOO_LARGE'
  /** Another client of the domain has this name. */
  | 'ERR_IPC_NAME_TAKEN'
  /** The native half of ipcio is missing. */
  | 'ERR_IPC_NO_BINARY'
  /** Node.js is older than ipcio supports. */
  | 'ERR_IPC_NODE_TOO_OLD'
  /** No client of this name is connected. */
  | 'ERR_IPC_NO_SUCH_CLIENT'
  /** The target of a delivery has no handler for the command. */
  | 'ERR_IPC_NO_SUCH_COMMAND'
  /** The path of the server's socket is taken by a file that is not a socket. */
  | 'ERR_IPC_NOT_A_SOCKET'
  /** The data cannot be written as JSON; `cause` says why. */
  | 'ERR_IPC_NOT_SERIALIZABLE'
  /** The server runs as a user that this client was not told to trust. */
  | 'ERR_IPC_NOT_TRUSTED'
  /** ipcio does not run on this platform. */
  | 'ERR_IPC_PLATFORM'
  /** The messages that wait to be sent or answered have reached `queueLimit`. */
  | 'ERR_IPC_QUEUE_FULL'
  /** ipcio reserves the command's name. */
  | 'ERR_IPC_RESTRICTED_COMMAND'
  /** A delivery took longer than its `timeout`. */
  | 'ERR_IPC_TIMEOUT'
  /** The deliveries of this client, or of the server, that wait for an answer have reached the server's `maxDeliveries`. */
  | 'ERR_IPC_TOO_MANY_DELIVERIES'
  /** The native half of ipcio was built for another system, or belongs to another version. */
  | 'ERR_IPC_WRONG_BINARY'
