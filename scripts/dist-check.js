'use strict'

/** `npm run dist:check`: makes the packages, then checks them. `npm run dist:check -- --help` tells what can be asked. */

require('./check-node.js')
const path = require('node:path')
const { root } = require('../lib/binary.js')
const { installDependencies } = require('./dependencies.js')
const { runNode } = require('./run.js')

const args = process.argv.slice(2)

installDependencies(root)
installDependencies(path.join(root, 'dist-check'))
if (!args.includes('--help')) runNode(['scripts/dist.js', ...(args.includes('--short') ? [] : ['all'])])
runNode(['dist-check/run.js', ...args])
