'use strict'

/** `npm test`: sets up, then runs every test there is, Rust's and JavaScript's. */

require('./check-node.js')
const { setUp } = require('./setup.js')
const { run, runNode } = require('./run.js')

setUp()
run('cargo', ['test'])
runNode(['__test__/run.js', ...process.argv.slice(2)])
