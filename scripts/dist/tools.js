'use strict'

/** What the targets need besides cargo. It is downloaded if it is missing. */

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { root } = require('../../lib/binary.js')
const { outputOf, fail } = require('../run.js')

const requirements = path.join(__dirname, 'requirements.txt')
const folder = path.join(root, 'target', 'dist', 'python')

/**
 * Zig and cargo-zigbuild, from packages for Python: the folder of the programs and the path of zig. Null if they
 * can't be installed.
 */
function zig() {
  const wanted = fs.readFileSync(requirements, 'utf8')
  const mark = path.join(folder, 'requirements.txt')
  const found = fs.existsSync(mark) ? fs.readFileSync(mark, 'utf8') : null
  if (found !== wanted) {
    fs.rmSync(folder, { recursive: true, force: true })
    const pip = ['-m', 'pip', 'install', '--quiet', '--target', folder, '--requirement', requirements]
    if (spawnSync('python3', pip, { stdio: 'inherit' }).status !== 0) return null
    fs.writeFileSync(mark, wanted)
  }
  return { programs: path.join(folder, 'bin'), zig: path.join(folder, 'ziglang', 'zig') }
}

/** Installs Rust's standard library for a target. */
function addRustTarget(triple) {
  const libraries = outputOf('rustc', ['--print', 'target-libdir', '--target', triple])?.trim()
  if (libraries && fs.existsSync(libraries)) return
  const { status } = spawnSync('rustup', ['target', 'add', triple], { cwd: root, stdio: 'inherit' })
  if (status !== 0) {
    fail(`Rust's standard library for ${triple} is missing: install Rust with rustup, see https://rustup.rs.`)
  }
}

module.exports = { zig, addRustTarget }
