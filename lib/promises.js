'use strict'

/** The promises of one-way messages, which are settled in the order in which they were made. */
class PromiseQueue {
  // Two entries for a promise: an object for each would cost more than what it holds.
  #entries = []
  #head = 0

  /** A promise that is settled in its turn. */
  next() {
    return new Promise((resolve, reject) => {
      this.#entries.push(resolve, reject)
    })
  }

  /** Resolves the first `count`. */
  resolve(count) {
    for (let left = count; left > 0; left--) this.#entries[this.#take()]()
    this.#compact()
  }

  /** Rejects the first. */
  reject(error) {
    this.#entries[this.#take() + 1](error)
    this.#compact()
  }

  /** Rejects all that are left. */
  rejectAll(error) {
    while (this.#head < this.#entries.length) this.#entries[this.#take() + 1](error)
    this.#compact()
  }

  #take() {
    const at = this.#head
    this.#head += 2
    return at
  }

  /** Gives settled entries back: at once when all are, otherwise when they are the larger part. */
  #compact() {
    if (this.#head === this.#entries.length) {
      this.#entries = []
      this.#head = 0
    } else if (this.#head > 4096 && this.#head > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }
}

module.exports = { PromiseQueue }
