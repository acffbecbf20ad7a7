'use strict'

/**
 * The facts that JavaScript and Rust share, as Rust states them (`node/src/constants.rs`). They are read once, so that V8
 * may treat what is taken from here into a `const` as constant.
 */

const native = require('./binding.js')
const { inconsistent } = require('./refusals.js')

/** An object that throws for whatever it does not have: a fact that the binary does not state is of another version. */
function complete(facts) {
  return new Proxy(facts, {
    get(target, name) {
      if (!Object.hasOwn(target, name)) throw inconsistent(`the binary does not state ${String(name)}`)
      return target[name]
    },
  })
}

const facts = complete(native.constants?.() ?? {})

module.exports = complete({
  ...facts,
  /** The numbers of the kinds of events. `eventLengths` has the entries of each kind, by its number. */
  events: complete(facts.events),
  /** The flags of events. */
  flags: complete(facts.flags),
  /** The numbers of the kinds of messages. */
  messages: complete(facts.messages),
})
