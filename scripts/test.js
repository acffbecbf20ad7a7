'use strict'

/** `npm test`: sets up, then runs all tests in Rust and JavaScript. */

require('./check-node.js')
const { setUp } = require('./setup.js')
const { run, runNode } = require('./run.js')

setUp()
run('cargo', ['test'])
runNode(['__test__/run.js', ...process.argv.slice(2)])
