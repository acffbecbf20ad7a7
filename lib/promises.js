'use strict'

/** The promises of one-way messages, which are settled in the order in which they were made. */
class PromiseQueue {
  /** What resolves each promise; it rejects one too, by resolving it to a rejected one. */
  #entries = []
  #head = 0

  /** A promise that is settled in its turn. */
  next() {
    return new Promise(resolve => {
      this.#entries.push(resolve)
    })
  }

  /** Resolves the first `count`. */
  resolve(count) {
    for (let left = count; left > 0; left--) this.#take()()
    this.#compact()
  }

  /** Rejects the first. */
  reject(error) {
    this.#take()(Promise.reject(error))
    this.#compact()
  }

  /** Rejects all that are left. */
  rejectAll(error) {
    while (this.#head < this.#entries.length) this.#take()(Promise.reject(error))
    this.#compact()
  }

  /** The next that has not been settled. */
  #take() {
    return this.#entries[this.#head++]
  }

  /** Gives settled entries back: at once when all are, otherwise when they are the larger part. */
  #compact() {
    if (this.#head === this.#entries.length) {
      this.#entries = []
      this.#head = 0
    } else if (this.#head > 2048 && this.#head > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }
}

module.exports = { PromiseQueue }
