'use strict'

/** Exports what the addon exports, or throws an error that says in one sentence what to do. */

const { target, filePath, isBuilt, isCheckout } = require('./binary.js')
const { forbidden, mismatched, missing, tooOld, unloadable, wrongPlatform } = require('./refusals.js')
const { engines, version } = require('../package.json')

/** `engines` says `>=20`. */
const OLDEST_NODE = Number(/\d+/.exec(engines.node)[0])

/** The codes of Node.js if `--no-addons` or the permission model forbids addons, and the name of Deno's error. */
const FORBIDDEN = ['ERR_DLOPEN_DISABLED', 'ERR_ACCESS_DENIED', 'NotCapable']

module.exports = load()

function load() {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) throw tooOld(OLDEST_NODE)
  if (process.platform === 'win32') throw wrongPlatform()
  // In a clone, the binary that was built there matches its sources.
  const binding = isCheckout() ? (built() ?? packaged()) : (packaged() ?? built())
  if (!binding) throw missing()
  if (binding.VERSION !== version) throw mismatched(binding.VERSION, version)
  return binding
}

/** The binary of the platform's package, or null if that is not installed. */
function packaged() {
  const name = target()
  try {
    // With literal names, and with the calls right in this block, bundlers find the package that is installed and ignore
    // the others.
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

/** The binary that was built on this machine, or null if there is none. */
function built() {
  if (!isBuilt()) return null
  const file = filePath()
  const addon = { exports: {} }
  try {
    // What `require` does with an addon, written so that bundlers do not try to follow it.
    process.dlopen(addon, file)
  } catch (cause) {
    throw refusal(file, cause)
  }
  return addon.exports
}

/** Whether this package is not installed. If it is installed and its file is missing, that is another error. */
function isMissing(error, name) {
  const { code, message } = error
  const isNotFound = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND'
  return isNotFound && new RegExp(`['"]${name}['"]`).test(message)
}

function refusal(binary, cause) {
  return FORBIDDEN.includes(cause?.code ?? cause?.name) ? forbidden(cause) : unloadable(binary, cause)
}
