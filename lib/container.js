'use strict'

/** What a handler is called with. */
class Container {
  constructor(data, peer, from, server, redelivered) {
    this.data = data
    this.uuid = peer.uuid
    this.name = peer.name
    this.socket = peer
    this.server = server
    this.client_name = peer.name
    this.from = from
    this.redelivered = redelivered
  }
}

module.exports = { Container }
