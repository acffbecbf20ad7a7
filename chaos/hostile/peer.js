'use strict'

/** A peer that may write anything. Its handshakes and frames are those of docs/protocol.md. */

const { randomBytes } = require('node:crypto')
const { once } = require('node:events')
const net = require('node:net')
const { KIND, frameOf } = require('../../__test__/support/raw-peer.js')

/** The text of a handshake. */
function handshakeOf(name, fields) {
  const ipcio = {
    version: 2,
    session: randomBytes(16).toString('hex'),
    attempt: 1,
    server: null,
    received: 0,
    limit: 2 ** 28,
    ...fields,
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

  /** Connects and does the handshake. The server may refuse it. */
  static async handshake(path, name, fields) {
    const peer = await Peer.connect(path)
    await peer.write(handshakeOf(name, fields))
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

  /** Resolves when the system has taken the bytes, or the connection has ended. */
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

module.exports = { Peer, KIND, frameOf, handshakeOf }
