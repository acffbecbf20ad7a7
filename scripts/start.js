'use strict'

/** `npm start`: sets up, then shows two processes that talk to each other. */

require('./check-node.js')
const { setUp } = require('./setup.js')
const { runNode } = require('./run.js')

setUp()
runNode(['examples/tutorial/run.js'])
