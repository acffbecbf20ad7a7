'use strict'

/** Abort signals. Each has a single listener here, for any number of deliveries. */

const { invalidArgument, ipcError } = require('./errors.js')
const { describe } = require('./describe.js')

/** By signal, the functions to call when it is aborted. A signal has a listener as long as it has such functions. */
const watched = new WeakMap()

/** Throws if `signal` is not a signal. */
function checkSignal(signal) {
  const isSignal =
    typeof signal === 'object' &&
    signal !== null &&
    'aborted' in signal &&
    typeof signal.addEventListener === 'function' &&
    typeof signal.removeEventListener === 'function'
  if (!isSignal) throw invalidArgument(`The signal must be an AbortSignal, not ${describe(signal)}.`)
}

/** Calls `onAbort` when the signal is aborted. Returns the function that cancels this. */
function watchSignal(signal, onAbort) {
  let watch = watched.get(signal)
  if (watch === undefined) {
    watch = new Watch(signal)
    watched.set(signal, watch)
  }
  watch.callbacks.add(onAbort)
  return () => {
    if (watch.callbacks.delete(onAbort) && watch.callbacks.size === 0) watch.end()
  }
}

/** Why a signal was aborted: its reason, or an `AbortError` if it has none. */
function abortReason(signal) {
  if (signal.reason !== undefined) return signal.reason
  return Object.assign(ipcError('ABORT_ERR', 'The delivery was aborted by its signal.'), {
    name: 'AbortError',
  })
}

module.exports = { abortReason, checkSignal, watchSignal }

class Watch {
  callbacks = new Set()
  #signal

  constructor(signal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort)
  }

  end() {
    watched.delete(this.#signal)
    this.#signal.removeEventListener('abort', this.#onAbort)
  }

  #onAbort = () => {
    const callbacks = [...this.callbacks]
    this.callbacks.clear()
    this.end()
    for (const callback of callbacks) callback()
  }
}
