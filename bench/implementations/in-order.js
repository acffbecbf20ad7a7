'use strict'

// For libraries that have messages but no requests: the promises of outstanding requests, the oldest
// of which gets the next answer. This is cheaper than numbers, which favours these libraries.
class InOrder {
  constructor() {
    this.waiting = []
    this.head = 0
  }

  expect() {
    return new Promise(resolve => this.waiting.push(resolve))
  }

  settle(value) {
    const resolve = this.waiting[this.head++]
    if (this.head === this.waiting.length) {
      this.waiting.length = 0
      this.head = 0
    } else if (this.head === 4096) {
      this.waiting = this.waiting.slice(this.head)
      this.head = 0
    }
    resolve(value)
  }
}

module.exports = { InOrder }
