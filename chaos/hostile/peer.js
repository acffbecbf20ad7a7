'use strict'

/** A peer that may write anything. Its handshakes and frames are those of docs/protocol.md. */

const { once } = require('node:events')
const net = require('node:net')
const rawPeer = require('../../__test__/support/raw-peer.js')

const { KIND, frameOf } = rawPeer

/** The text of a handshake of protocol 2. */
function handshakeOf(name, fields) {
  return rawPeer.handshakeOf(name, { version: 2, ...fields })
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
