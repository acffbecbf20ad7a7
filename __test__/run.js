'use strict'

/**
 * Runs the suite under both drivers, or under the one that IPCIO_DRIVER names. Arguments: parts of the
 * names of test files, to run only these; options go to Node's test runner.
 */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const { IPCIO_DRIVER: chosen } = process.env
const args = process.argv.slice(2)
const options = args.filter(arg => arg.startsWith('-'))
const filters = args.filter(arg => !arg.startsWith('-'))

// A folder as the argument of --test means other files to each version of Node, so they are listed.
const files = fs
  .readdirSync(__dirname)
  .filter(file => file.endsWith('.test.js'))
  .filter(file => filters.length === 0 || filters.some(filter => file.includes(filter)))
  .sort()
  .map(file => path.join(__dirname, file))

if (files.length === 0) {
  console.error(`No test file's name contains ${filters.join(' or ')}; see ${__dirname}.`)
  process.exit(1)
}

let failed = false
for (const driver of chosen ? [chosen] : ['loop', 'thread']) {
  console.log(`\nThe JavaScript suite, with IPCIO_DRIVER=${driver}:`)
  const { status, error } = spawnSync(process.execPath, ['--test', ...options, ...files], {
    stdio: 'inherit',
    env: { ...process.env, IPCIO_DRIVER: driver },
  })
  if (error) throw error
  failed ||= status !== 0
}
process.exit(failed ? 1 : 0)
