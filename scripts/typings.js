'use strict'

/** `npm run typings`: compiles the programs in __test__/types, which say what index.d.ts allows and refuses. */

require('./check-node.js')
const { root } = require('../lib/binary.js')
const { installDependencies } = require('./dependencies.js')
const { runNode } = require('./run.js')

installDependencies(root)
compile('typescript', '__test__/types')
// Neither @types/node nor the DOM's types, and the oldest TypeScript that we support.
compile('typescript', '__test__/types/bare')
compile('typescript-oldest', '__test__/types/bare')
console.log('The typings compile, and what they should refuse is refused.')

// By path: both compilers are called `tsc`, and only one of them can have the name in .bin.
function compile(compiler, project) {
  runNode([`node_modules/${compiler}/bin/tsc`, '--noEmit', '-p', project])
}
