'use strict'

/** Runs cargo to build the addon. */

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { root, target } = require('../lib/binary.js')
const { outputOf, fail } = require('./run.js')
const { version } = require('../package.json')

/** An addon for musl must share the C library of its Node.js. */
const SHARED_MUSL = '-Ctarget-feature=-crt-static'

/** Builds the addon in release mode, and returns the path of the library that cargo made. */
function buildLibrary({ command = 'build', args = [], env = hostEnvironment() } = {}) {
  // Its messages say where the library is, which depends on the user's cargo configuration.
  const { status, stdout } = spawnSync(
    'cargo',
    [command, '--release', '--package', 'ipcio-node', '--message-format=json-render-diagnostics', ...args],
    { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 2 ** 28 },
  )
  if (status !== 0) fail('cargo could not build ipcio: see its output above.')
  const library = stdout
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line))
    .filter(({ reason, target }) => reason === 'compiler-artifact' && target.name === 'ipcio_node')
    .flatMap(({ filenames }) => filenames)
    .find(name => /\.(so|dylib)$/.test(name))
  return (
    library ??
    fail('cargo built no shared library: see that [lib] in node/Cargo.toml has the crate type cdylib.')
  )
}

/** Exits with one sentence if Rust is missing or too old. */
function checkRust() {
  const oldest = manifestValue('rust-version')
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

/** Exits with one sentence if the crates and package.json have different versions. */
function checkVersions() {
  for (const file of ['Cargo.toml', 'node/Cargo.toml']) {
    const found = manifestValue('version', file)
    if (found !== version) fail(`package.json says ${version} and ${file} ${found}: make them the same.`)
  }
}

module.exports = { buildLibrary, checkRust, checkVersions, SHARED_MUSL }

/** On Alpine, the Rust that rustup installs links the C library statically, and cannot build addons that way. */
function hostEnvironment() {
  if (!target().endsWith('-musl')) return process.env
  return { ...process.env, RUSTFLAGS: `${process.env.RUSTFLAGS ?? ''} ${SHARED_MUSL}`.trim() }
}

/** The metadata in the manifest of a crate. */
function manifestValue(key, file = 'Cargo.toml') {
  const manifest = fs.readFileSync(path.join(root, file), 'utf8')
  return new RegExp(`^${key} = "(.+)"$`, 'm').exec(manifest)[1]
}

function isOlder(version, than) {
  const [major, minor] = version.split('.').map(Number)
  const [thanMajor, thanMinor] = than.split('.').map(Number)
  return major < thanMajor || (major === thanMajor && minor < thanMinor)
}
