'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const { root, target } = require('../lib/binary.js')
const { version } = require('../package.json')
const { checkCrate } = require('./crate.js')
const { checkHost } = require('./host.js')
const { Report } = require('./report.js')

const HELP = `npm run dist:check -- [--short] [--only part,…]
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
  const files = ['ipcio', `ipcio-${target()}`].map(name => path.join(root, 'dist', `${name}-${version}.tgz`))
  await checkHost(report, files, npmProgram())
  await checkCrate(report)
  if (!report.close()) process.exitCode = 1
}

/** The npm that started us, or the one beside this Node.js. */
function npmProgram() {
  const started = process.env.npm_execpath
  if (started && path.basename(started) === 'npm-cli.js') return started
  return fs.realpathSync(path.join(path.dirname(process.execPath), 'npm'))
}
