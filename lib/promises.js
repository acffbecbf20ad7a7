'use strict'

/** The promises of one-way messages, which settle in the order in which they were made. */
class PromiseQueue {
  /** The resolve functions of the promises. They also reject a promise, by resolving it to a rejected one. */
  #entries = []
  /** The promises, in the same order. */
  #promises = []
  #head = 0

  /** A new promise, which settles after those before it. */
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

  /** Rejects all that are left, without unhandled rejections: a program may close without awaiting its messages. */
  rejectAll(error) {
    while (this.#head < this.#entries.length) {
      quiet(this.#promises[this.#head])
      this.#take()(Promise.reject(error))
    }
    this.#compact()
  }

  /** The next promise that has not been settled. */
  #take() {
    return this.#entries[this.#head++]
  }

  /** Removes settled entries once all are settled, or most of them. */
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

/** Makes sure that a promise causes no unhandled rejection, and returns it. */
function quiet(promise) {
  promise.catch(() => {})
  return promise
}

/** The capacity with which a table begins; a power of two. */
const PLACES = 64
/** The largest capacity that an empty table keeps. */
const KEPT = 4096

/**
 * The promises of requests, which settle in any order, each by its number.
 *
 * They are in an array, at the index that the lower bits of their number give. With a Map, a fifth of all work was garbage
 * collection: it abandoned its old table at every thousandth request, and that kept a thousand settled promises alive.
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

  /** Removes the promise of that number and returns it; `undefined` if it was removed before. */
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

  /** Doubles the capacity. Numbers that differ in their lower bits also differ in more of them, so indices stay unique. */
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
  /** Its limits, if any: its command, its time in milliseconds, and the function that removes the listener of its signal. */
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
