'use strict'

const fs = require('node:fs')
const path = require('node:path')

/** Looks for a socket that appears, so that nobody who waits for it has to wait for the next attempt. */
class SocketWatch {
  #path
  #appeared
  #watcher = null

  constructor(socketPath, appeared) {
    this.#path = socketPath
    this.#appeared = appeared
  }

  start() {
    if (this.#watcher !== null) return
    const name = path.basename(this.#path)
    try {
      this.#watcher = fs.watch(path.dirname(this.#path), { persistent: false }, (_, changed) => {
        if (changed === name) this.#appeared()
      })
      this.#watcher.on('error', () => this.stop())
    } catch {
      // Where nothing more can be watched, the attempts go on all the same.
    }
  }

  stop() {
    this.#watcher?.close()
    this.#watcher = null
  }
}

module.exports = { SocketWatch }
