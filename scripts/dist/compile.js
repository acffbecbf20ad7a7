'use strict'

/** Compiles the addon for a target. */

const fs = require('node:fs')
const path = require('node:path')
const { target: host } = require('../../lib/binary.js')
const { buildLibrary, SHARED_MUSL } = require('../cargo.js')
const { fail } = require('../run.js')
const { crossEnvironment } = require('./darwin.js')
const { TARGETS, OLDEST_GLIBC, OLDEST_MACOS } = require('./targets.js')
const { zig, addRustTarget } = require('./tools.js')

const INSTALL_NAME = '@rpath/ipcio.node'

/**
 * The path of the library that was built for the target, and a warning about its limits, or null.
 */
function compile(target) {
  const { triple, os } = TARGETS[target]
  addRustTarget(triple)
  return os === 'darwin' ? compileForMacos(triple) : compileForLinux(target)
}

module.exports = { compile }

function compileForLinux(target) {
  const { triple, libc } = TARGETS[target]
  const tools = zig()
  if (tools === null) return compileNatively(target)
  const environment = {
    PATH: `${tools.programs}${path.delimiter}${process.env.PATH}`,
    CARGO_ZIGBUILD_ZIG_PATH: tools.zig,
    RUSTFLAGS: libc === 'musl' ? SHARED_MUSL : '',
  }
  const name = libc === 'glibc' ? `${triple}.${OLDEST_GLIBC}` : triple
  const library = build('zigbuild', name, environment)
  if (libc === 'glibc') checkGlibc(library)
  return { library, remark: null }
}

/** Without zig, this machine's compiler builds for this machine's system. */
function compileNatively(target) {
  if (target !== host()) {
    fail(
      `${target} is built with ziglang and cargo-zigbuild, and pip could not install them: see the output above.`,
    )
  }
  const { triple, libc } = TARGETS[target]
  const library = build('build', triple, {
    RUSTFLAGS: libc === 'musl' ? SHARED_MUSL : '',
  })
  const needs = libc === 'glibc' ? `glibc ${newestGlibc(library)}` : 'the musl of this machine'
  return { library, remark: `built without zig, for systems with ${needs} or later` }
}

function compileForMacos(triple) {
  const flags = [`-Clink-arg=-install_name`, `-Clink-arg=${INSTALL_NAME}`]
  const common = { MACOSX_DEPLOYMENT_TARGET: OLDEST_MACOS }
  if (process.platform === 'darwin') {
    const flag = `-Clink-arg=-Wl,-install_name,${INSTALL_NAME}`
    return { library: build('build', triple, { ...common, RUSTFLAGS: flag }), remark: null }
  }
  const tools = zig()
  if (tools === null) {
    fail(
      `${triple} is built here with ziglang, and pip could not install it: see the output above. On macOS it is not needed.`,
    )
  }
  const library = build('build', triple, { ...common, ...crossEnvironment(triple, flags, tools.zig) })
  return { library, remark: `linked on ${process.platform}, and never run` }
}

function build(command, triple, environment) {
  const env = { ...process.env, ...environment }
  // It would take precedence over RUSTFLAGS.
  delete env.CARGO_ENCODED_RUSTFLAGS
  return buildLibrary({ command, args: ['--locked', '--target', triple], env })
}

function checkGlibc(library) {
  const newest = newestGlibc(library)
  if (minor(newest) > minor(OLDEST_GLIBC)) {
    fail(`${library} needs glibc ${newest}, and should load with ${OLDEST_GLIBC}.`)
  }
  console.log(`${path.basename(library)} needs glibc ${newest}.`)
}

/** The newest version of glibc whose symbols a library names. */
function newestGlibc(library) {
  const names = fs.readFileSync(library, 'latin1').match(/\bGLIBC_2\.\d+/g) ?? []
  return names
    .map(name => name.replace('GLIBC_', ''))
    .reduce((one, other) => (minor(one) > minor(other) ? one : other), '2.0')
}

function minor(version) {
  return Number(version.split('.')[1])
}
