'use strict'

/**
 * Where the native half of ipcio is on this platform. Shared by the loader and by the scripts that build, so that all
 * mean the same file.
 */

const fs = require('node:fs')
const path = require('node:path')
const { usesMusl } = require('./libc.js')
const manifest = require('../package.json')

const root = path.join(__dirname, '..')

/** This platform: `<platform>-<arch>`, and on Linux the C library behind it. */
function target() {
  const { platform, arch } = process
  return platform === 'linux' ? `linux-${arch}-${usesMusl() ? 'musl' : 'gnu'}` : `${platform}-${arch}`
}

/** The package that holds this platform's binary, or null where this version of ipcio comes without one. */
function packageName() {
  const name = `@ipcio/${target()}`
  return name in (manifest.optionalDependencies ?? {}) ? name : null
}

/** The name of the file that a build on this machine makes. */
function fileName() {
  return `ipcio.${target()}.node`
}

/** The absolute path of what was built on this machine, whether it is there or not. */
function filePath() {
  return path.join(root, fileName())
}

/** Whether something was built on this machine. */
function isBuilt() {
  return exists(fileName())
}

/** True in a clone of the repository, as opposed to an installed package or a bundle. */
function isCheckout() {
  return exists('.git') && isWhole()
}

/** False if these files are part of a bundle: the package's root is then another program's folder. */
function isWhole() {
  return exists('scripts/build.js')
}

module.exports = { root, target, packageName, fileName, filePath, isBuilt, isCheckout, isWhole }

function exists(name) {
  try {
    return fs.existsSync(path.join(root, name))
  } catch {
    // `--permission` does not let everybody look.
    return false
  }
}
