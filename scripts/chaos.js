'use strict'

/** `npm run chaos`: sets up, then leads the campaigns. `npm run chaos -- --help` tells what can be asked of it. */

require('./check-node.js')
const { setUp } = require('./setup.js')
const { runNode } = require('./run.js')

setUp()
runNode(['chaos/run.js', ...process.argv.slice(2)])
