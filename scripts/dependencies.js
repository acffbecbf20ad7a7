'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { run, runNode } = require('./run.js')

/** Installs what the lockfile in `folder` names, unless that is what node_modules holds. */
function installDependencies(folder) {
  const installed = modified(path.join(folder, 'node_modules', '.package-lock.json'))
  if (installed >= modified(path.join(folder, 'package-lock.json'))) return
  npm(['ci', '--no-audit', '--no-fund'], folder)
}

module.exports = { installDependencies }

/** The npm that started us, if one did: it is known to work with this Node. */
function npm(args, cwd) {
  const cli = process.env.npm_execpath
  if (cli && path.basename(cli) === 'npm-cli.js') runNode([cli, ...args], { cwd })
  else run('npm', args, { cwd })
}

function modified(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
