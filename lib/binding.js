'use strict'

/** The native exports, or an error that says in one sentence what to do. */

const { target, filePath, isBuilt, isCheckout } = require('./binary.js')
const { forbidden, mismatched, missing, tooOld, unloadable, wrongPlatform } = require('./refusals.js')
const { engines, version } = require('../package.json')

/** `engines` says `>=20`. */
const OLDEST_NODE = Number(/\d+/.exec(engines.node)[0])

/** Codes of Node.js where `--no-addons`, or the permission model, keeps addons out, and the name of Deno's error. */
const FORBIDDEN = ['ERR_DLOPEN_DISABLED', 'ERR_ACCESS_DENIED', 'NotCapable']

module.exports = load()

function load() {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) throw tooOld(OLDEST_NODE)
  if (process.platform === 'win32') throw wrongPlatform()
  // In a clone, what was built there is what its sources say.
  const binding = isCheckout() ? (built() ?? packaged()) : (packaged() ?? built())
  if (!binding) throw missing()
  if (binding.VERSION !== version) throw mismatched(binding.VERSION, version)
  return binding
}

/** The binary of the platform's package, or null where that is not installed. */
function packaged() {
  const name = target()
  try {
    // Literal names, and the calls right in this block: so bundlers find the one that is installed, and pass over the
    // others.
    switch (name) {
      case 'darwin-arm64':
        return require('@ipcio/darwin-arm64')
      case 'darwin-x64':
        return require('@ipcio/darwin-x64')
      case 'linux-arm64-gnu':
        return require('@ipcio/linux-arm64-gnu')
      case 'linux-arm64-musl':
        return require('@ipcio/linux-arm64-musl')
      case 'linux-x64-gnu':
        return require('@ipcio/linux-x64-gnu')
      case 'linux-x64-musl':
        return require('@ipcio/linux-x64-musl')
      default:
        return null
    }
  } catch (cause) {
    if (isMissing(cause, `@ipcio/${name}`)) return null
    throw refusal(`@ipcio/${name}`, cause)
  }
}

/** The binary that was built on this machine, or null where there is none. */
function built() {
  if (!isBuilt()) return null
  const file = filePath()
  const addon = { exports: {} }
  try {
    // What `require` does with an addon, in a way that no bundler tries to follow.
    process.dlopen(addon, file)
  } catch (cause) {
    throw refusal(file, cause)
  }
  return addon.exports
}

/** Whether this very package is not installed: one that is there and lacks its file is another fault. */
function isMissing(error, name) {
  const { code, message } = error
  const isNotFound = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND'
  return isNotFound && new RegExp(`['"]${name}['"]`).test(message)
}

function refusal(binary, cause) {
  return FORBIDDEN.includes(cause?.code ?? cause?.name) ? forbidden(cause) : unloadable(binary, cause)
}
