'use strict'

/** `npm run dist:check`: makes the packages, then checks them. `npm run dist:check -- --help` lists the options. */

require('./check-node.js')
const path = require('node:path')
const { root } = require('../lib/binary.js')
const { installDependencies } = require('./dependencies.js')
const { npm } = require('./npm.js')
const { runNode } = require('./run.js')

const args = process.argv.slice(2)
const isShort = args.includes('--short')
const folder = path.join(root, 'dist-check')

if (!args.includes('--help')) {
  installDependencies(root)
  installDependencies(folder)
  if (!isShort) npm(['install', '--no-audit', '--no-fund'], path.join(folder, 'full'))
  runNode(['scripts/dist.js', ...(isShort ? [] : ['all'])])
}
runNode(['dist-check/run.js', ...args])
