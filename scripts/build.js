'use strict'

/**
 * Builds the addon for this machine in release mode and puts it where lib/binding.js looks for it: in a clone, and in
 * an installed package on a platform for which there is no package with a binary.
 *
 * It does not use @napi-rs/cli, which would only run cargo and copy one file, as the types are written by hand. So a
 * build needs only cargo.
 */

require('./check-node.js')
const fs = require('node:fs')
const path = require('node:path')
const { root, fileName, filePath, isCheckout } = require('../lib/binary.js')
const { buildLibrary, checkRust } = require('./cargo.js')

const SOURCES = ['src', 'node', 'Cargo.toml', 'Cargo.lock', '.cargo']

/** Builds if there is no binary, or one older than its sources. */
function buildIfStale() {
  const built = fs.statSync(filePath(), { throwIfNoEntry: false })
  const stale = !built || SOURCES.some(name => newestUnder(path.join(root, name)) > built.mtimeMs)
  if (stale) build()
}

function build() {
  checkRust()
  console.log(`Building ${fileName()} (the first time takes some minutes) ...`)
  const library = buildLibrary()
  // A rename gives the file a new inode. Overwriting the old one would crash processes that have loaded it.
  const temporary = `${filePath()}.${process.pid}`
  fs.copyFileSync(library, temporary)
  fs.renameSync(temporary, filePath())
  const now = new Date()
  fs.utimesSync(filePath(), now, now)
}

module.exports = { build, buildIfStale }

/** The time of the newest change to a file, or to anything in a folder. */
function newestUnder(entry) {
  const stat = fs.statSync(entry, { throwIfNoEntry: false })
  if (!stat) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  const within = fs.readdirSync(entry).map(name => newestUnder(path.join(entry, name)))
  return Math.max(stat.mtimeMs, ...within)
}

if (require.main === module) {
  build()
  // Hundreds of megabytes that are not needed again in a node_modules folder.
  if (!isCheckout()) fs.rmSync(path.join(root, 'target'), { recursive: true, force: true })
}
