'use strict'

const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { root } = require('../lib/binary.js')
const { run, fail } = require('./run.js')

/** Runs npm with our own input and output. */
function npm(args, cwd) {
  const [program, ...first] = command()
  run(program, [...first, ...args], { cwd })
}

/** What npm prints as JSON. */
function npmJson(args, cwd = root) {
  const [program, ...first] = command()
  const { status, stdout, stderr } = spawnSync(program, [...first, ...args, '--json'], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (status !== 0) fail(`\`npm ${args.join(' ')}\` failed: ${stderr}`)
  return JSON.parse(stdout)
}

module.exports = { npm, npmJson }

/** The npm that started us, if any: it is known to work with this Node. */
function command() {
  const cli = process.env.npm_execpath
  return cli && path.basename(cli) === 'npm-cli.js' ? [process.execPath, cli] : ['npm']
}
