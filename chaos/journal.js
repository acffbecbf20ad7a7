'use strict'

/**
 * What a process has sent and received, in a file of records of one size. Records that must survive the process are
 * written at once: data that the kernel has is not lost by a SIGKILL.
 */

const fs = require('node:fs')

const SIZE = 24
const ROOM = 4096 * SIZE

/** The types of records. */
const WHAT = { SENT: 1, SETTLED: 2, FAILED: 3, GOT: 4, STARTING: 5, CONNECTED: 6, WRONG: 7 }

/** The kinds of messages. Those from `SERVER_EMIT` on come from the server. */
const KIND = { NONE: 0, SEND: 1, EMIT: 2, BROADCAST: 3, DELIVERY: 4, SERVER_EMIT: 5, SERVER_BROADCAST: 6 }

/** The codes of errors. A record has the index of one of them. */
const CODES = [
  'another error',
  'ERR_IPC_TIMEOUT',
  'ERR_IPC_CLOSED',
  'ERR_IPC_NO_SUCH_CLIENT',
  'ERR_IPC_CLIENT_LEFT',
  'ERR_IPC_NO_SUCH_COMMAND',
  'ERR_IPC_NAME_TAKEN',
  'ERR_IPC_QUEUE_FULL',
  'ERR_IPC_TOO_MANY_DELIVERIES',
]

class Journal {
  #fd
  #buffer = Buffer.alloc(ROOM)
  #used = 0

  constructor(path) {
    this.#fd = fs.openSync(path, 'a')
  }

  /** Keeps a record until `flush`. */
  add(what, kind, peer, life, number, detail = 0) {
    if (this.#used === ROOM) this.flush()
    const at = this.#used
    this.#buffer[at] = what
    this.#buffer[at + 1] = kind
    this.#buffer.writeUInt16LE(peer, at + 2)
    this.#buffer.writeUInt32LE(life, at + 4)
    this.#buffer.writeUInt32LE(number, at + 8)
    this.#buffer.writeUInt32LE(detail, at + 12)
    this.#buffer.writeDoubleLE(clock(), at + 16)
    this.#used += SIZE
  }

  flush() {
    if (this.#used === 0) return
    fs.writeSync(this.#fd, this.#buffer, 0, this.#used)
    this.#used = 0
  }

  /** Calls `each(what, kind, peer, life, number, detail, time)` for each record of a file, which may be missing. */
  static read(path, each) {
    if (!fs.existsSync(path)) return
    const bytes = fs.readFileSync(path)
    for (let at = 0; at + SIZE <= bytes.length; at += SIZE) {
      each(
        bytes[at],
        bytes[at + 1],
        bytes.readUInt16LE(at + 2),
        bytes.readUInt32LE(at + 4),
        bytes.readUInt32LE(at + 8),
        bytes.readUInt32LE(at + 12),
        bytes.readDoubleLE(at + 16),
      )
    }
  }
}

/** Milliseconds on a clock that all processes of a machine share. */
function clock() {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1e3 + nanoseconds / 1e6
}

function codeOf(error) {
  return Math.max(0, CODES.indexOf(error?.code))
}

module.exports = { Journal, WHAT, KIND, CODES, clock, codeOf }
