'use strict'

/**
 * Which file holds the native half of ipcio on this platform, and what to tell somebody who lacks it.
 * Shared by the loader and by the scripts that build, so that both mean the same file.
 */

const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')

/** `ipcio.<platform>-<arch>[-musl].node` */
function fileName() {
  return `ipcio.${target()}.node`
}

/** The absolute path of this platform's binary, whether it is there or not. */
function filePath() {
  return path.join(root, fileName())
}

/** True in a clone of the repository, where nothing is built before somebody asks for it. */
function isCheckout() {
  return fs.existsSync(path.join(root, '.git'))
}

/** How to make a binary for this machine. Not `npm rebuild`, as npm may be told to run no package's scripts. */
function remedy() {
  const command = isCheckout() ? 'npm run build' : 'node scripts/install.js'
  return `run \`${command}\` in ${root} (it needs Rust, see https://rustup.rs)`
}

/** Names of binaries that lie here for other platforms: a sign that node_modules was copied. */
function foreignFiles() {
  return fs
    .readdirSync(root)
    .filter(name => /^ipcio\..+\.node$/.test(name) && name !== fileName())
    .sort()
}

module.exports = { root, fileName, filePath, isCheckout, remedy, foreignFiles }

function target() {
  const musl = process.platform === 'linux' && usesMusl() ? '-musl' : ''
  return `${process.platform}-${process.arch}${musl}`
}

/**
 * Reads the name of the dynamic loader out of the head of the running executable: a tenth of a
 * millisecond, where `process.report` takes fifteen and looking for files under /lib is misled by
 * systems that have both C libraries.
 */
function usesMusl() {
  const head = Buffer.alloc(4096)
  try {
    const descriptor = fs.openSync(process.execPath, 'r')
    try {
      fs.readSync(descriptor, head, 0, head.length, 0)
    } finally {
      fs.closeSync(descriptor)
    }
  } catch {
    return false
  }
  return head.includes('/ld-musl-')
}
