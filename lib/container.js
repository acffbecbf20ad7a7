'use strict'

/** What a handler is called with. */
class Container {
  constructor(data, peer, name, from, server, redelivered) {
    this.data = data
    this.uuid = peer.uuid
    this.name = name
    this.socket = peer
    this.server = server
    this.client_name = name
    this.from = from
    this.redelivered = redelivered
  }
}

module.exports = { Container }
