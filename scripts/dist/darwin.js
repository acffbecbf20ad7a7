'use strict'

/**
 * Linking for macOS on other systems: with Rust's linker, as that of zig exports every symbol, and with zig's files for
 * macOS, which are C headers and the names in the system library.
 */

const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../../lib/binary.js')
const { OLDEST_MACOS } = require('./targets.js')

/** Libraries that Rust names. On macOS they are one library. */
const LIBRARIES = ['System', 'c', 'm', 'iconv']

/** The environment in which cargo builds for `triple`. */
function crossEnvironment(triple, flags, zig) {
  const folder = path.join(root, 'target', 'dist', triple)
  fs.mkdirSync(folder, { recursive: true })
  writeLibraries(folder, zig)
  const key = triple.replaceAll('-', '_')
  const [architecture] = triple.split('-')
  return {
    RUSTFLAGS: ['-Clinker-flavor=ld64.lld', `-Lnative=${folder}`, ...flags].join(' '),
    [`CARGO_TARGET_${key.toUpperCase()}_LINKER`]: script(path.join(folder, 'ld'), [
      // napi-build adds an argument that only compilers know.
      'for argument; do shift; [ "$argument" = -Wl ] || set -- "$@" "$argument"; done',
      'exec rust-lld "$@"',
    ]),
    [`CC_${key}`]: script(path.join(folder, 'cc'), [
      `exec '${zig}' cc -target ${architecture}-macos.${OLDEST_MACOS} "$@"`,
    ]),
    [`AR_${key}`]: script(path.join(folder, 'ar'), [`exec '${zig}' ar "$@"`]),
    [`CFLAGS_${key}`]: '-O3 -fPIC',
    CRATE_CC_NO_DEFAULTS: '1',
    SDKROOT: folder,
  }
}

module.exports = { crossEnvironment }

function writeLibraries(folder, zig) {
  const list = path.join(path.dirname(zig), 'lib', 'libc', 'darwin', 'libSystem.tbd')
  const names = fs
    .readFileSync(list, 'utf8')
    // Architectures that the linker does not know. arm64e is arm64 with signed pointers.
    .replace(/,?\s*arm64e\.x1-\w+/g, '')
    .replace(/\barm64e-/g, 'arm64-')
  for (const library of LIBRARIES) fs.writeFileSync(path.join(folder, `lib${library}.tbd`), names)
}

function script(file, lines) {
  fs.writeFileSync(file, ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 })
  return file
}
