// Required before anything else, and written so that a Node of any age can read it.

// `engines` says `>=20`.
var oldest = parseInt(require('../package.json').engines.node.replace('>=', ''), 10)
var version = process.versions.node

if (parseInt(version, 10) < oldest) {
  console.error(
    'ipcio needs Node.js ' + oldest + ' or later and this is ' + version + ': install a newer Node.js.',
  )
  process.exit(1)
}
