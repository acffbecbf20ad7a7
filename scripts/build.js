'use strict'

/**
 * Builds the addon for this machine in release mode and puts it where lib/binding.js looks for it: in a clone, and in
 * an installed package on a platform for which there is no package with a binary.
 *
 * By hand rather than with @napi-rs/cli: all that it would do for us is to run cargo and to copy one file, the types
 * are written by hand, and so building needs nothing but cargo.
 */

require('./check-node.js')
const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { root, fileName, filePath, isCheckout } = require('../lib/binary.js')
const { outputOf, fail } = require('./run.js')

const SOURCES = ['src', 'build.rs', 'Cargo.toml', 'Cargo.lock', '.cargo']

/** Builds if there is no binary, or one older than its sources. */
function buildIfStale() {
  const built = fs.statSync(filePath(), { throwIfNoEntry: false })
  const stale = !built || SOURCES.some(name => newestUnder(path.join(root, name)) > built.mtimeMs)
  if (stale) build()
}

function build() {
  checkRust()
  console.log(`Building ${fileName()} (the first time takes some minutes) ...`)
  const library = runCargo()
  // A rename gives the file a new inode. Writing over the old one would crash whoever has it loaded.
  const temporary = `${filePath()}.${process.pid}`
  fs.copyFileSync(library, temporary)
  fs.renameSync(temporary, filePath())
  const now = new Date()
  fs.utimesSync(filePath(), now, now)
}

module.exports = { build, buildIfStale }

/** Runs cargo, and returns the path of the library that it made. */
function runCargo() {
  // Its messages say where the library is, which depends on the user's cargo configuration.
  const { status, stdout } = spawnSync(
    'cargo',
    ['build', '--release', '--lib', '--message-format=json-render-diagnostics'],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 2 ** 28 },
  )
  if (status !== 0) fail('cargo could not build ipcio: the reason stands above.')
  const library = stdout
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line))
    .filter(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'ipcio')
    .flatMap(({ filenames }) => filenames)
    .find(name => /\.(so|dylib)$/.test(name))
  return (
    library ?? fail('cargo built no shared library: see that [lib] in Cargo.toml has the crate type cdylib.')
  )
}

function checkRust() {
  const manifest = fs.readFileSync(path.join(root, 'Cargo.toml'), 'utf8')
  const oldest = /^rust-version = "(.+)"$/m.exec(manifest)[1]
  const version = /\d+\.\d+\.\d+/.exec(outputOf('rustc', ['--version']))?.[0]
  if (!version || outputOf('cargo', ['--version']) === null) {
    fail(
      `ipcio is built with Rust ${oldest} or later and none was found: install it from https://rustup.rs and try again.`,
    )
  }
  if (isOlder(version, oldest)) {
    fail(
      `ipcio is built with Rust ${oldest} or later and this is ${version}: run \`rustup update\` and try again.`,
    )
  }
}

function isOlder(version, than) {
  const [major, minor] = version.split('.').map(Number)
  const [thanMajor, thanMinor] = than.split('.').map(Number)
  return major < thanMajor || (major === thanMajor && minor < thanMinor)
}

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
  // Hundreds of megabytes that nobody needs again in a node_modules folder.
  if (!isCheckout()) fs.rmSync(path.join(root, 'target'), { recursive: true, force: true })
}
