'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { root, target } = require('../lib/binary.js')
const { version } = require('../package.json')
const { checkCrate } = require('./crate.js')
const { checkHost } = require('./host.js')
const { checkInstallers } = require('./installers.js')
const { Report } = require('./report.js')
const { checkRuntimes } = require('./runtimes.js')
const { checkSystems } = require('./systems.js')
const { TARGETS } = require('../scripts/dist/targets.js')

const HELP = `npm run dist:check -- [--short] [--only part,…]
             everything, on a Debian for x64, as root: half an hour
  --short    this machine's packages alone, in less than three minutes
  --only     checks whose name has one of these parts in it
`

main().catch(error => {
  process.stderr.write(`${error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : error.stack}\n`)
  process.exitCode = 1
})

async function main() {
  const { values } = parseArgs({
    options: { help: { type: 'boolean' }, short: { type: 'boolean' }, only: { type: 'string' } },
  })
  if (values.help) return void process.stdout.write(HELP)
  const report = new Report(values.only?.split(','))
  await checkHost(report, [tarball('ipcio'), tarball(`ipcio-${target()}`)], npmProgram())
  await checkCrate(report)
  if (!values.short) await checkEverything(report)
  if (!report.close()) process.exitCode = 1
}

async function checkEverything(report) {
  const platforms = Object.keys(TARGETS).map(name => tarball(`ipcio-${name}`))
  await checkInstallers(report, [...platforms, tarball('ipcio')])
  await checkRuntimes(report, [tarball('ipcio'), tarball('ipcio-linux-x64-gnu')])
  await checkSystems(report, tarball)
}

function tarball(name) {
  return path.join(root, 'dist', `${name}-${version}.tgz`)
}

/** The npm that started us, or the one beside this Node.js. */
function npmProgram() {
  const started = process.env.npm_execpath
  if (started && path.basename(started) === 'npm-cli.js') return started
  return fs.realpathSync(path.join(path.dirname(process.execPath), 'npm'))
}
