'use strict'

/** The promises of one-way messages, which are settled in the order in which they were made. */
class PromiseQueue {
  /** What resolves each promise; it rejects one too, by resolving it to a rejected one. */
  #entries = []
  /** The promises, in the same order. */
  #promises = []
  #head = 0

  /** A promise that is settled after those before it. */
  next() {
    const promise = new Promise(resolve => {
      this.#entries.push(resolve)
    })
    this.#promises.push(promise)
    return promise
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

  /** Rejects all that are left. They are not unhandled: a program may close without awaiting what it has sent. */
  rejectAll(error) {
    while (this.#head < this.#entries.length) {
      quiet(this.#promises[this.#head])
      this.#take()(Promise.reject(error))
    }
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
      this.#promises = []
      this.#head = 0
    } else if (this.#head > 2048 && this.#head > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#head)
      this.#promises = this.#promises.slice(this.#head)
      this.#head = 0
    }
  }
}

/** A promise whose rejection is never an unhandled one. */
function quiet(promise) {
  promise.catch(() => {})
  return promise
}

/** How many places a table begins with; a power of two. */
const PLACES = 64
/** How many an empty one keeps. */
const KEPT = 4096

/**
 * The promises of requests, which are settled in any order, each by its number.
 *
 * They stand in an array, in the place that the lower bits of their number say. A Map, which leaves its old table
 * behind at every thousandth request, kept a thousand settled promises alive with it, which made a fifth of all work
 * the garbage collector's.
 */
class PromiseTable {
  #places = new Array(PLACES).fill(undefined)
  #count = 0
  #last = 0

  /** A new promise, under a number that no other one has. */
  next() {
    if (this.#count * 2 >= this.#places.length) this.#resize(this.#places.length * 2)
    const mask = this.#places.length - 1
    do this.#last++
    while (this.#places[this.#last & mask] !== undefined)
    this.#count++
    const pending = new Pending(this.#last)
    this.#places[this.#last & mask] = pending
    return pending
  }

  /** The promise of that number, which leaves the table; `undefined` if it has left already. */
  take(number) {
    const place = number & (this.#places.length - 1)
    const pending = this.#places[place]
    if (pending?.number !== number) return undefined
    this.#places[place] = undefined
    this.#count--
    if (this.#count === 0 && this.#places.length > KEPT) this.#resize(PLACES)
    return pending
  }

  /** All promises, in the order in which they were made. */
  takeAll() {
    const all = this.#all()
    this.#count = 0
    this.#places = new Array(PLACES).fill(undefined)
    return all.sort((a, b) => a.number - b.number)
  }

  #all() {
    return this.#places.filter(pending => pending !== undefined)
  }

  /** Two numbers that differ in their lower bits do so in more of them too: each still has a place of its own. */
  #resize(length) {
    const all = this.#all()
    this.#places = new Array(length).fill(undefined)
    for (const pending of all) this.#places[pending.number & (length - 1)] = pending
  }
}

/** A promise that a table holds. */
class Pending {
  resolve = undefined
  reject = undefined
  /** What limits it, if anything: its command, its time in milliseconds, and what ends the watch over its signal. */
  limits = undefined

  constructor(number) {
    this.number = number
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }
}

module.exports = { PromiseQueue, PromiseTable, quiet }
