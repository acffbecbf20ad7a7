'use strict'

/** All that has to be there before anything of a clone can run. */

const { root } = require('../lib/binary.js')
const { installDependencies } = require('./dependencies.js')
const { buildIfStale } = require('./build.js')

function setUp() {
  installDependencies(root)
  buildIfStale()
}

module.exports = { setUp }
