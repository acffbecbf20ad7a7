'use strict'

/** The native exports, or one sentence that says what to do. */

const fs = require('node:fs')
const { fileName, filePath, remedy, foreignFiles } = require('./binary.js')

const OLDEST_NODE = 20

/** What Node.js says where `--no-addons`, or the permission model, keeps addons out. */
const FORBIDDEN = ['ERR_DLOPEN_DISABLED', 'ERR_ACCESS_DENIED']

module.exports = load()

function load() {
  const major = Number.parseInt(process.versions.node, 10)
  if (major < OLDEST_NODE) {
    throw failure(
      'ERR_IPC_NODE_TOO_OLD',
      `ipcio needs Node.js ${OLDEST_NODE} or later and this is ${process.versions.node}: install a newer Node.js.`,
    )
  }
  if (process.platform === 'win32') {
    throw failure(
      'ERR_IPC_PLATFORM',
      'ipcio speaks over Unix domain sockets, which Node.js lacks on Windows: run it on Linux or macOS, or in WSL.',
    )
  }
  const file = filePath()
  try {
    return require(file)
  } catch (cause) {
    if (FORBIDDEN.includes(cause?.code)) throw forbidden(cause)
    throw fs.existsSync(file) ? unloadable(file, cause) : missing()
  }
}

function forbidden(cause) {
  return failure(
    'ERR_IPC_ADDONS_DISABLED',
    'ipcio is a native addon, and this process may load none: start Node.js without --no-addons, or with --allow-addons ' +
      'beside --permission.',
    cause,
  )
}

function missing() {
  const others = foreignFiles()
  const found = others.length > 0 ? ` (there is ${others.join(', ')}, for another platform)` : ''
  return failure('ERR_IPC_NO_BINARY', `ipcio's binary ${fileName()} is missing${found}: ${remedy()}.`)
}

function unloadable(file, cause) {
  return failure(
    'ERR_IPC_NO_BINARY',
    `ipcio's binary ${file} does not load here (built for another system, or damaged): ${remedy()}.`,
    cause,
  )
}

function failure(code, message, cause) {
  return Object.assign(new Error(message, cause && { cause }), { code })
}
