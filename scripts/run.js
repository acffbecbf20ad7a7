'use strict'

/** Runs other programs, and exits with a sentence if that fails. */

const { spawnSync } = require('node:child_process')
const { root } = require('../lib/binary.js')

/**
 * Runs a program with our own input and output. A program that fails has printed why, so we end with
 * its exit code and add nothing.
 */
function run(program, args, options) {
  const { status, signal, error } = spawnSync(program, args, {
    cwd: root,
    stdio: 'inherit',
    ...options,
  })
  if (error)
    fail(`\`${program}\` could not be started (${error.code}): see that it is installed and on the PATH.`)
  if (signal) fail(`\`${program} ${args.join(' ')}\` was ended by ${signal}.`)
  if (status !== 0) process.exit(status)
}

/** Runs a Node program of this repository. */
function runNode(args, options) {
  run(process.execPath, args, options)
}

/** What a program prints, or null where it is not installed or fails. */
function outputOf(program, args) {
  const { status, stdout } = spawnSync(program, args, { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout : null
}

function fail(sentence) {
  console.error(sentence)
  process.exit(1)
}

module.exports = { run, runNode, outputOf, fail }
