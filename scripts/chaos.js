'use strict'

/** `npm run chaos`: sets up, then runs the campaigns. `npm run chaos -- --help` lists the options. */

require('./check-node.js')
const { setUp } = require('./setup.js')
const { runNode } = require('./run.js')

setUp()
runNode(['chaos/run.js', ...process.argv.slice(2)])
