'use strict'

/** Random numbers that a seed repeats. The scheduling of processes is not repeated. */
class Random {
  #state

  constructor(seed) {
    this.#state = seed >>> 0
  }

  /** From 0 up to, but not including, 1: Weyl steps through a mixer of 32 bits. */
  fraction() {
    this.#state = (this.#state + 0x9e3779b9) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }

  /** A whole number from `low` up to, but not including, `high`. */
  between(low, high) {
    return low + Math.floor(this.fraction() * (high - low))
  }

  /** True in `percent` of 100 cases. */
  percent(share) {
    return this.fraction() * 100 < share
  }

  pick(values) {
    return values[this.between(0, values.length)]
  }

  /** A seed for another process. */
  seed() {
    return this.between(0, 2 ** 32)
  }
}

module.exports = { Random }
