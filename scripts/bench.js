'use strict'

/** `npm run bench`: sets up, then measures. `npm run bench -- --help` lists the options. */

require('./check-node.js')
const { setUp } = require('./setup.js')
const { runNode } = require('./run.js')

setUp()
runNode(['bench/run.js', ...process.argv.slice(2)])
