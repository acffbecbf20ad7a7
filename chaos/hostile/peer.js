'use strict'

/** A peer that says whatever it likes, in the bytes of docs/protocol.md. */

const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const net = require('node:net')

const HEADER = 18

const KIND = {
  VOID: 0,
  ACKNOWLEDGEMENT: 1,
  SEND: 2,
  EMIT: 3,
  REQUEST: 5,
  RESPONSE: 6,
  CANCEL: 9,
}

const BROADCAST = 4

/** A frame; `lies` may give other lengths than the true ones. */
function frame(kind, { id = 0, flags = 0, name = '', command = '', payload = '' } = {}, lies = {}) {
  const parts = [name, command, payload].map(part => Buffer.from(part))
  const header = Buffer.alloc(HEADER)
  const size = HEADER - 4 + parts.reduce((sum, part) => sum + part.length, 0)
  header.writeUInt32LE(lies.size ?? size, 0)
  header[4] = kind
  header[5] = flags
  header.writeUInt16LE(lies.name ?? parts[0].length, 6)
  header.writeUInt16LE(lies.command ?? parts[1].length, 8)
  header.writeBigUInt64LE(BigInt(id), 10)
  return Buffer.concat([header, ...parts])
}

function handshake(name, facts) {
  const ipcio = {
    version: 2,
    session: randomBytes(16).toString('hex'),
    attempt: 1,
    server: null,
    received: 0,
    limit: 2 ** 28,
    ...facts,
  }
  return JSON.stringify({ id: null, command: 'handshake', data: name, delivery: null, ipcio })
}

class Peer {
  /** What the server wrote, until `forget`. */
  received = Buffer.alloc(0)
  isGone = false

  static async connect(path) {
    const peer = new Peer(net.connect({ path, allowHalfOpen: true }))
    await Promise.race([once(peer.socket, 'connect').catch(() => {}), peer.gone])
    return peer
  }

  /** Goes through the handshake, or is sent away. */
  static async greet(path, name, facts) {
    const peer = await Peer.connect(path)
    await peer.write(handshake(name, facts))
    if (!peer.isGone) await Promise.race([once(peer.socket, 'data').catch(() => {}), peer.gone])
    return peer
  }

  constructor(socket) {
    this.socket = socket
    this.gone = new Promise(resolve => {
      socket.once('close', () => {
        this.isGone = true
        resolve()
      })
    })
    socket.on('error', () => {})
    socket.on('end', () => socket.destroy())
    socket.on('data', bytes => {
      if (this.received.length < 2 ** 16) this.received = Buffer.concat([this.received, bytes])
    })
  }

  /** Resolves when the system has taken it, or the peer is gone. */
  write(bytes) {
    if (this.isGone || this.socket.destroyed) return
    return Promise.race([new Promise(resolve => this.socket.write(bytes, resolve)), this.gone])
  }

  /** Writes the same bytes again and again. */
  async repeat(bytes, times) {
    for (let time = 0; time < times && !this.isGone; time++) await this.write(bytes)
  }

  destroy() {
    this.socket.destroy()
    return this.gone
  }
}

module.exports = { Peer, frame, handshake, KIND: { ...KIND, BROADCAST } }
