'use strict'

/**
 * The constants that JavaScript and Rust share, as Rust defines them (`node/src/constants.rs`). They are read once, so
 * that V8 may treat a `const` that is taken from here as constant.
 */

const native = require('./binding.js')
const { inconsistent } = require('./refusals.js')

/** An object that throws for names that it does not have: a constant that the binary lacks belongs to another version. */
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
