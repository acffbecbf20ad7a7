'use strict'

const native = require('./binding.js')
const { describe } = require('./describe.js')
const { invalidArgument, ipcError } = require('./errors.js')
const { remoteError } = require('./failure.js')
const { PromiseTable } = require('./promises.js')
const { abortReason, checkSignal, watchSignal } = require('./signals.js')
const { afterOthers } = require('./tick.js')

/** How many deliveries that have timed out reject before the other work of the event loop continues. */
const EXPIRED_AT_ONCE = 256

/** The deliveries of a client or a server that wait for an answer, with their time limits and signals. */
class Deliveries {
  #pending = new PromiseTable()
  #outgoing
  #send
  #onLimited
  /** Runs of deliveries that have timed out: the number of the first, and how many. */
  #late = []
  /** Whether the rest of them waits for the other work of the event loop. */
  #isPaused = false

  /**
   * `outgoing` leads to the native side. `send(kind, name, command, data, number, limit)` gives it a delivery, and throws
   * what it refuses. `onLimited()` is called after a delivery that has a limit.
   */
  constructor(outgoing, send, onLimited) {
    this.#outgoing = outgoing
    this.#send = send
    this.#onLimited = onLimited
  }

  /** Sends a delivery. Returns the promise for its answer. */
  ask(kind, name, command, data, options) {
    let timeout
    let signal
    if (options !== undefined && options !== null) {
      // Options of the program may have getters, which may throw.
      try {
        timeout = options.timeout ?? undefined
        signal = options.signal ?? undefined
        checkLimits(timeout, signal)
        if (signal?.aborted) return Promise.reject(abortReason(signal))
      } catch (error) {
        return Promise.reject(error)
      }
    }
    const delivery = this.#pending.next()
    try {
      this.#send(kind, name, command, data, delivery.number, nativeLimit(timeout))
    } catch (error) {
      this.#pending.take(delivery.number)
      delivery.reject(error)
      return delivery.promise
    }
    if (timeout !== undefined || signal) this.#limit(delivery, command, timeout, signal)
    return delivery.promise
  }

  /** An answer has arrived: what the handler returned or, if it failed, what it threw. */
  answer(number, data, failed) {
    const delivery = this.#take(number)
    if (delivery === undefined) return
    if (failed) delivery.reject(remoteError(data))
    else delivery.resolve(data)
  }

  /** Several deliveries have timed out. They reject in portions, so that they do not delay other work. */
  expire(first, count) {
    this.#late.push({ first, count })
    if (!this.#isPaused) this.#rejectLate()
  }

  /** Rejects all deliveries that are left. */
  rejectAll(error) {
    for (const delivery of this.#pending.takeAll()) {
      delivery.limits?.unwatch?.()
      delivery.reject(error)
    }
  }

  /** The delivery ends early where its time is over, in milliseconds, or its signal is aborted. */
  #limit(delivery, command, timeout, signal) {
    const limits = { command, timeout, unwatch: undefined }
    delivery.limits = limits
    if (signal) {
      limits.unwatch = watchSignal(signal, () => {
        if (this.#take(delivery.number) === undefined) return
        this.#outgoing.call(native.cancel, delivery.number)
        delivery.reject(abortReason(signal))
      })
    }
    this.#onLimited()
  }

  #rejectLate() {
    let left = EXPIRED_AT_ONCE
    while (left > 0 && this.#late.length > 0) {
      const run = this.#late[0]
      const count = Math.min(left, run.count)
      for (let number = run.first; number < run.first + count; number++) this.#reject(number)
      run.first += count
      run.count -= count
      left -= count
      if (run.count === 0) this.#late.shift()
    }
    this.#isPaused = true
    afterOthers(() => {
      this.#isPaused = false
      if (this.#late.length > 0) this.#rejectLate()
    })
  }

  #reject(number) {
    const delivery = this.#take(number)
    if (delivery === undefined) return
    const { command, timeout } = delivery.limits
    delivery.reject(
      ipcError(
        'ERR_IPC_TIMEOUT',
        `No answer to ${describe(command)} came within ${timeout} ms; allow more time, or check why the answer takes so long.`,
      ),
    )
  }

  #take(number) {
    const delivery = this.#pending.take(number)
    delivery?.limits?.unwatch?.()
    return delivery
  }
}

/** Throws if the limits of a delivery are not a time in milliseconds and an AbortSignal. */
function checkLimits(timeout, signal) {
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 0)) {
    throw invalidArgument(`The timeout must be a number of milliseconds, not ${describe(timeout)}.`)
  }
  if (signal !== undefined) checkSignal(signal)
}

/**
 * A time limit as the native side takes it: in milliseconds plus 1, as 0 means that there is none. A time that is too
 * long for that is no limit.
 */
function nativeLimit(timeout) {
  return timeout === undefined || timeout >= Number.MAX_SAFE_INTEGER ? 0 : Math.ceil(timeout) + 1
}

module.exports = { Deliveries }
