'use strict'

/**
 * Where the addon for this platform is. The loader and the build scripts share this, so that they use the same
 * file.
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

/** The package with this platform's binary, or null if this version of ipcio has none. */
function packageName() {
  const name = `@ipcio/${target()}`
  return name in (manifest.optionalDependencies ?? {}) ? name : null
}

/** The name of the file that a build on this machine makes. */
function fileName() {
  return `ipcio.${target()}.node`
}

/** The absolute path of a binary that is built on this machine, whether it exists or not. */
function filePath() {
  return path.join(root, fileName())
}

/** Whether a binary was built on this machine. */
function isBuilt() {
  return exists(fileName())
}

/** True in a clone of the repository, as opposed to an installed package or a bundle. */
function isCheckout() {
  return exists('.git') && isWhole()
}

/** False if these files are part of a bundle: then the package's root is another program's folder. */
function isWhole() {
  return exists('scripts/build.js')
}

module.exports = { root, target, packageName, fileName, filePath, isBuilt, isCheckout, isWhole }

function exists(name) {
  try {
    return fs.existsSync(path.join(root, name))
  } catch {
    // `--permission` may forbid it.
    return false
  }
}
