'use strict'

/** Everything that a clone needs before it can run. */

const { root } = require('../lib/binary.js')
const { installDependencies } = require('./dependencies.js')
const { buildIfStale } = require('./build.js')

function setUp() {
  installDependencies(root)
  buildIfStale()
}

module.exports = { setUp }
