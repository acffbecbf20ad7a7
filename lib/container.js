'use strict'

/** What a handler is called with. */
class Container {
  constructor(data, peer, from, server, redelivered, command) {
    this.data = data
    this.uuid = peer.uuid
    this.name = peer.name
    this.socket = peer
    this.server = server
    this.client_name = peer.name
    this.from = from
    this.redelivered = redelivered
    this.command = command
    /** Who the system says it came from. An object of its own for each connection, so that it stays what it was. */
    this.peer = peer.credentials
  }
}

module.exports = { Container }
