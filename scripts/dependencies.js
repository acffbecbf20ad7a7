'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { npm } = require('./npm.js')

/**
 * Installs what the lockfile in `folder` names, unless that is what node_modules holds. No script builds the addon at
 * that: the callers that need it build it themselves.
 */
function installDependencies(folder) {
  const installed = modified(path.join(folder, 'node_modules', '.package-lock.json'))
  if (installed >= modified(path.join(folder, 'package-lock.json'))) return
  npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], folder)
}

module.exports = { installDependencies }

function modified(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
