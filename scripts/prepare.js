'use strict'

/**
 * What npm runs where ipcio comes as sources: in a clone, for a dependency on a folder, and for one on a git address.
 * Published packages have no such script, as their binaries come with a package of their own.
 */

require('./check-node.js')
const { buildIfStale } = require('./build.js')
const { fail } = require('./run.js')

if (process.platform === 'win32') {
  fail(
    'ipcio speaks over Unix domain sockets, which Node.js lacks on Windows: install it on Linux, macOS or in WSL.',
  )
}
buildIfStale()
