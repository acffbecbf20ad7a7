'use strict'

/** `node scripts/release.js v1.2.3`: checks whether the repository is ready for a release with this tag. */

require('./check-node.js')
const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../lib/binary.js')
const { checkVersions } = require('./cargo.js')
const { fail } = require('./run.js')
const { version } = require('../package.json')

const tag = process.argv[2]
const changes = fs.readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8')
const newest = /^## (.+)$/m.exec(changes)?.[1]

if (tag !== `v${version}`) fail(`The tag is ${tag} and package.json says ${version}: make them the same.`)
checkVersions()
if (newest !== version)
  fail(`CHANGELOG.md begins with ${newest}: it needs a section for ${version} at its top.`)
console.log(`Ready for ${tag}.`)
