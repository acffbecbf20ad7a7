'use strict'

/** The Rust crate, packed, and a program outside the repository that uses it. */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { root } = require('../lib/binary.js')
const { version } = require('../package.json')

const program = path.join(__dirname, 'programs', 'crate')

async function checkCrate(report) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ipcio-dist-check-'))
  try {
    await report.check('host: cargo package', () => {
      // The program builds it, so packaging need not.
      cargo(['package', '--package', 'ipcio', '--locked', '--allow-dirty', '--no-verify'], root)
    })
    await report.check('host: a Rust program outside of the repository', () => {
      const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target')
      execFileSync('tar', ['xzf', path.join(target, 'package', `ipcio-${version}.crate`), '-C', folder])
      fs.cpSync(program, folder, { recursive: true })
      const manifest = path.join(folder, 'Cargo.toml')
      const packed = path.join(folder, `ipcio-${version}`)
      fs.writeFileSync(manifest, fs.readFileSync(manifest, 'utf8').replace('PACKED', packed))
      fs.copyFileSync(path.join(root, 'Cargo.lock'), path.join(folder, 'Cargo.lock'))
      // With the existing build.
      const printed = cargo(['run', '--quiet', '--target-dir', target], folder)
      if (!printed.includes('It works.')) throw new Error(`it printed: ${printed}`)
    })
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

module.exports = { checkCrate }

function cargo(args, cwd) {
  return execFileSync('cargo', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}
