'use strict'

/** Calls between the controller and the processes that it started, through Node's channel between them. */

class Calls {
  #channel
  #methods
  #waiting = new Map()
  #next = 1

  /** `channel` is a child or `process`. `methods` are the functions that the other side may call. */
  constructor(channel, methods = {}) {
    this.#channel = channel
    this.#methods = methods
    channel.on('message', message => this.#take(message))
    channel.on('exit', () => this.#end())
    channel.on('error', () => {})
  }

  call(method, options = {}) {
    return new Promise((resolve, reject) => {
      if (!this.#channel.connected) return reject(new Error(`no process is there to ${method}`))
      const id = this.#next++
      this.#waiting.set(id, { resolve, reject })
      this.#channel.send(
        { id, method, options },
        error => error && this.#settle(id, { error: error.message }),
      )
    })
  }

  /** Lets the other side call one more method. */
  allow(method, answer) {
    this.#methods[method] = answer
  }

  async #take({ id, method, options, value, error }) {
    if (!method) return this.#settle(id, { value, error })
    let answer
    try {
      answer = { id, value: await this.#methods[method](options) }
    } catch (thrown) {
      answer = { id, error: thrown?.stack ?? String(thrown) }
    }
    // The controller may be gone.
    if (this.#channel.connected) this.#channel.send(answer, () => {})
  }

  #settle(id, { value, error }) {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (error) waiting?.reject(new Error(error))
    else waiting?.resolve(value)
  }

  #end() {
    for (const { reject } of this.#waiting.values()) reject(new Error('the process ended'))
    this.#waiting.clear()
  }
}

module.exports = { Calls }
