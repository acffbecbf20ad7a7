'use strict'

const { within } = require('./deadline.js')

/** Gathers what handlers or listeners get, for tests that wait until enough of it is there. */
class Inbox {
  #waiting = []

  constructor() {
    this.all = []
    /** Takes one item; a handler or a listener as it is. */
    this.take = item => {
      this.all.push(item)
      this.#wake()
    }
    /** A handler that keeps the data alone. */
    this.takeData = ({ data }) => this.take(data)
  }

  /** The first `count` items, once they are there. */
  async first(count) {
    if (this.all.length < count) {
      const reached = new Promise(resolve => this.#waiting.push({ count, resolve }))
      await within(reached, `${count} messages`).catch(late => {
        late.message += ` Got ${this.all.length}.`
        throw late
      })
    }
    return this.all.slice(0, count)
  }

  /** The next item that is not there yet. */
  async next() {
    const count = this.all.length + 1
    return (await this.first(count))[count - 1]
  }

  #wake() {
    const { length } = this.all
    for (const { count, resolve } of this.#waiting) if (count <= length) resolve()
    this.#waiting = this.#waiting.filter(({ count }) => count > length)
  }
}

module.exports = { Inbox }
