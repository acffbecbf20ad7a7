'use strict'

/** What npm runs after it has put the package in place: sees to a binary that loads here. */

require('./check-node.js')
const fs = require('node:fs')
const path = require('node:path')
const { root, isCheckout } = require('../lib/binary.js')
const { build } = require('./build.js')
const { fail } = require('./run.js')

if (isCheckout()) {
  // `npm start` and `npm test` install and then build. Building here as well would be the same twice,
  // and who only wants the linter would wait for cargo.
  console.log('A clone of ipcio: `npm start`, `npm test` and `npm run build` build the addon.')
} else if (process.platform === 'win32') {
  fail(
    'ipcio speaks over Unix domain sockets, which Node.js lacks on Windows: install it on Linux, macOS or in WSL.',
  )
} else if (!loads()) {
  build()
  // Hundreds of megabytes that nobody needs again in a node_modules folder.
  fs.rmSync(path.join(root, 'target'), { recursive: true, force: true })
}

/** Whether a binary is here and this system can load it: one that was copied from elsewhere can't. */
function loads() {
  try {
    require('../lib/binding.js')
    return true
  } catch {
    return false
  }
}
