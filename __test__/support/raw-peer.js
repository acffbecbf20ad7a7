'use strict'

/** A client that speaks protocol 3 by hand, as docs/protocol.md describes it, for what our client never does. */

const { randomBytes } = require('node:crypto')
const net = require('node:net')
const { within } = require('./deadline.js')
const { Inbox } = require('./inbox.js')
const { Splitter, textOf } = require('./legacy-framing.js')

const HEADER = 18

const KIND = {
  VOID: 0,
  ACKNOWLEDGEMENT: 1,
  SEND: 2,
  EMIT: 3,
  BROADCAST: 4,
  REQUEST: 5,
  RESPONSE: 6,
  FAILURE: 7,
  DISCOVER: 8,
  CANCEL: 9,
  GOODBYE: 10,
  HELD: 11,
  RELEASED: 12,
}

const FLAG = { REDELIVERED: 1, QUEUED: 2, BYTES: 4, EXTENDED: 8 }

/** The bytes of a frame. `fields` may contain wrong lengths. */
function frameOf(
  kind,
  { flags = 0, id = 0, name = '', command = '', payload = '', extension = '', ...fields } = {},
) {
  const [names, commands, payloads] = [name, command, payload].map(text => Buffer.from(text))
  const extended = extensionOf(Buffer.from(extension))
  const header = Buffer.alloc(HEADER)
  const length = HEADER - 4 + names.length + commands.length + extended.length + payloads.length
  header.writeUInt32LE(fields.length ?? length, 0)
  header.writeUInt8(kind, 4)
  header.writeUInt8(flags, 5)
  header.writeUInt16LE(fields.nameLength ?? names.length, 6)
  header.writeUInt16LE(fields.commandLength ?? commands.length, 8)
  header.writeBigUInt64LE(BigInt(id), 10)
  return Buffer.concat([header, names, commands, extended, payloads])
}

function extensionOf(block) {
  if (block.length === 0) return block
  const length = Buffer.alloc(2)
  length.writeUInt16LE(block.length)
  return Buffer.concat([length, block])
}

/** The text of a client's handshake. `fields` are those that differ from a new session's. */
function handshakeOf(name, fields) {
  const ipcio = {
    version: 3,
    session: randomBytes(16).toString('hex'),
    attempt: 1,
    server: null,
    received: 0,
    limit: 1 << 28,
    ...fields,
  }
  return extended(textOf(null, 'handshake', name), ipcio)
}

/** A message of protocol 1 with the field that later protocols add. */
function extended(text, ipcio) {
  return `${text.slice(0, -1)},"ipcio":${JSON.stringify(ipcio)}}`
}

/** A server by hand, which listens at a path. It calls `serve(socket)` when it has answered a client's handshake. */
function rawServer(path, serve) {
  const server = net.createServer(socket => {
    const splitter = new Splitter()
    socket.on('error', () => {})
    socket.once('data', bytes => {
      const name = JSON.parse(splitter.push(bytes)[0]).data
      const ipcio = { version: 2, server: 'by hand', resumed: false, received: 0, limit: 1 << 28 }
      const answer = textOf(name, 'handshake', randomBytes(16).toString('hex'))
      socket.write(extended(answer, ipcio))
      serve(socket)
    })
  })
  return new Promise(resolve => server.listen(path, () => resolve(server)))
}

class RawPeer {
  #pending = Buffer.alloc(0)

  constructor(path) {
    this.frames = new Inbox()
    this.closed = false
    this.socket = net.connect(path)
    this.socket.on('error', () => {})
    this.ended = new Promise(resolve => {
      this.socket.on('close', () => {
        this.closed = true
        resolve()
      })
    })
    this.session = randomBytes(16).toString('hex')
  }

  /** Goes through the handshake; resolves to the server's answer to it. */
  async handshake(name, fields) {
    const answered = new Inbox()
    const splitter = new Splitter()
    const onData = bytes => {
      const [reply] = splitter.push(bytes)
      if (reply === undefined) return
      this.socket.off('data', onData)
      this.socket.on('data', rest => this.#read(rest))
      const answer = JSON.parse(reply)
      this.version = answer.ipcio?.version
      answered.take(answer)
      // Bytes after the answer are frames.
      this.#read(bytes.subarray(Buffer.byteLength(reply)))
    }
    this.socket.on('data', onData)
    this.socket.write(handshakeOf(name, { session: this.session, ...fields }))
    const [answer] = await answered.first(1)
    return answer
  }

  write(bytes) {
    this.socket.write(bytes)
  }

  send(kind, fields) {
    this.write(frameOf(kind, fields))
  }

  /** Resolves when the server has ended the connection. */
  end() {
    return within(this.ended, 'the server to end the connection')
  }

  close() {
    this.socket.destroy()
  }

  #read(bytes) {
    this.#pending = Buffer.concat([this.#pending, bytes])
    for (;;) {
      if (this.#pending.length < HEADER) return
      const size = 4 + this.#pending.readUInt32LE(0)
      if (this.#pending.length < size) return
      const frame = this.#pending.subarray(0, size)
      this.#pending = this.#pending.subarray(size)
      const nameEnd = HEADER + frame.readUInt16LE(6)
      const commandEnd = nameEnd + frame.readUInt16LE(8)
      const flags = frame.readUInt8(5)
      const isExtended = this.version >= 3 && (flags & FLAG.EXTENDED) !== 0
      const extensionEnd = isExtended ? commandEnd + 2 + frame.readUInt16LE(commandEnd) : commandEnd
      this.frames.take({
        kind: frame.readUInt8(4),
        flags,
        id: Number(frame.readBigUInt64LE(10)),
        name: frame.toString('utf8', HEADER, nameEnd),
        command: frame.toString('utf8', nameEnd, commandEnd),
        extension: isExtended ? frame.toString('hex', commandEnd + 2, extensionEnd) : '',
        payload: frame.toString('utf8', extensionEnd),
      })
    }
  }
}

module.exports = { RawPeer, rawServer, KIND, FLAG, frameOf, handshakeOf }
