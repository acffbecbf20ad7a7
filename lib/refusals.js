'use strict'

/** The errors that say why ipcio does not load here, and what to do. */

const fs = require('node:fs')
const path = require('node:path')
const { root, target, packageName, isCheckout, isWhole } = require('./binary.js')

const REINSTALL = 'remove node_modules and run `npm install` on this system'

function tooOld(oldest) {
  return refusal(
    'ERR_IPC_NODE_TOO_OLD',
    `ipcio needs Node.js ${oldest} or later, and this is ${process.versions.node}: install a newer Node.js.`,
  )
}

function wrongPlatform() {
  return refusal(
    'ERR_IPC_PLATFORM',
    'ipcio uses Unix domain sockets, which Node.js does not support on Windows: run it on Linux, on macOS or in WSL.',
  )
}

function forbidden(cause) {
  return refusal(
    'ERR_IPC_ADDONS_DISABLED',
    `ipcio is a native addon, and this process may not load addons: ${permitting()}.`,
    cause,
  )
}

/** There is no binary for this platform: no package with one, and none that was built here. */
function missing() {
  return refusal('ERR_IPC_NO_BINARY', `${what()}: ${missingRemedy()}.`)
}

/** There is a binary, but the system does not load it. */
function unloadable(binary, cause) {
  const reason = String(cause?.message ?? cause).split('\n')[0]
  return refusal(
    'ERR_IPC_WRONG_BINARY',
    `ipcio's binary ${binary} does not load on ${target()} (${reason}): ${wrongRemedy()}.`,
    cause,
  )
}

/** The binary loads, but belongs to another version of these files. */
function mismatched(found, expected) {
  return refusal(
    'ERR_IPC_WRONG_BINARY',
    `ipcio has version ${expected}, but its binary has ${found ?? 'an older version'}: ${wrongRemedy()}.`,
  )
}

/** The binary has the same version, but does not match these files. */
function inconsistent(sign) {
  return refusal(
    'ERR_IPC_WRONG_BINARY',
    `ipcio's JavaScript files and its binary have different versions: ${sign}; ${wrongRemedy()}.`,
  )
}

module.exports = { tooOld, wrongPlatform, forbidden, missing, unloadable, mismatched, inconsistent }

function permitting() {
  return process.versions.deno
    ? 'start Deno with --allow-ffi'
    : 'start Node.js without --no-addons, or add --allow-addons to --permission'
}

function what() {
  const others = otherPackages()
  const there = others.length > 0 ? ` (there is ${others.join(', ')}, for another system)` : ''
  return `ipcio's binary for ${target()} is missing${there}`
}

function missingRemedy() {
  if (isCheckout() || packageName() === null) return building()
  if (!isWhole()) return 'configure the bundler to copy it next to the bundle, see docs/installing.md'
  if (otherPackages().length > 0) return REINSTALL
  // An old npm does not repair a lock file that names only another system's package.
  return (
    'install the optional dependencies (`npm install --include=optional`; if that does not help, remove node_modules ' +
    `and the lock file first), or ${building()}`
  )
}

function wrongRemedy() {
  if (isCheckout() || packageName() === null) return building()
  return isWhole() ? REINSTALL : 'make the bundle on a system like this one, with a single version of ipcio'
}

/** How to build a binary on this machine. It is not an npm script, as npm may be configured to ignore the scripts of packages. */
function building() {
  const command = isCheckout() ? 'npm run build' : 'node scripts/build.js'
  return `run \`${command}\` in ${root} (it needs Rust, see https://rustup.rs)`
}

/** Packages for other platforms beside this one: a sign that node_modules was copied. */
function otherPackages() {
  try {
    return fs
      .readdirSync(path.join(root, '..', '@ipcio'))
      .filter(name => name !== target())
      .map(name => `@ipcio/${name}`)
  } catch {
    return []
  }
}

function refusal(code, message, cause) {
  return Object.assign(new Error(message, cause && { cause }), { code })
}
