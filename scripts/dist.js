'use strict'

/**
 * `npm run dist [-- target…]`: makes the packages that are published, as dist/*.tgz: the main one, and those with the
 * binaries for these targets, or for this machine. `all` stands for all targets, `main` for none.
 */

require('./check-node.js')
const fs = require('node:fs')
const path = require('node:path')
const { target: host } = require('../lib/binary.js')
const { checkRust, checkVersions } = require('./cargo.js')
const { compile } = require('./dist/compile.js')
const { packMain, packPlatform } = require('./dist/pack.js')
const { TARGETS } = require('./dist/targets.js')
const { fail } = require('./run.js')

const targets = chosen(process.argv.slice(2))
if (targets.length > 0) checkRust()
checkVersions()
show(packMain(), null)
for (const target of targets) {
  console.log(`Building for ${target} (the first time takes some minutes) ...`)
  const built = compile(target)
  show(packPlatform(target, built), built.remark)
}

function chosen(args) {
  if (args.includes('all')) return Object.keys(TARGETS)
  if (args.includes('main')) return []
  const names = args.length > 0 ? args : [host()]
  const unknown = names.find(name => !(name in TARGETS))
  if (unknown)
    fail(`There is no package for ${unknown}: choose among ${Object.keys(TARGETS).join(', ')}, all, main.`)
  return names
}

function show(file, remark) {
  const size = (fs.statSync(file).size / 1024).toFixed(0)
  console.log(`${path.relative(process.cwd(), file)}: ${size} kB${remark ? `; ${remark}` : ''}`)
}
