'use strict'

/** The project's own test suite, run with a binary from its package. */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../lib/binary.js')

/** What the tests need beside the binary. */
const FILES = [
  ...['index.js', 'index.d.ts', 'package.json', 'lib', '__test__', 'docs', 'examples', 'bench/README.md'],
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
]

/** How long a run of the suite may take, in milliseconds: emulators are slow. */
const LONGEST = 1_800_000

/** Unpacks packages into a node_modules folder, without any package manager. */
function installFiles(tarballs, modules) {
  for (const tarball of tarballs) {
    const manifest = execFileSync('tar', ['xzOf', tarball, 'package/package.json'], { encoding: 'utf8' })
    const folder = path.join(modules, JSON.parse(manifest).name)
    fs.mkdirSync(folder, { recursive: true })
    execFileSync('tar', ['xzf', tarball, '-C', folder, '--strip-components', '1'])
  }
}

/** Copies the suite to `folder`. It finds its binary in a node_modules folder there or above. */
function copySuite(folder) {
  for (const file of FILES) fs.cpSync(path.join(root, file), path.join(folder, file), { recursive: true })
}

/** Runs test files, and returns how many tests passed. */
function runSuite(project, node, tests, options) {
  copySuite(path.join(project.folder, 'suite'))
  const args = [path.join('suite', '__test__', 'run.js'), ...tests]
  return passed(project.try(node, args, { timeout: LONGEST, ...options }))
}

/** How many tests passed, from the output of run.js. */
function passed({ status, output }) {
  const counts = [...output.matchAll(/^\S* ?pass (\d+)$/gm)].map(([, count]) => Number(count))
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (status !== 0 || total === 0) throw new Error(failures(output))
  return `${total} tests passed`
}

module.exports = { installFiles, copySuite, runSuite, passed, LONGEST }

/** The failures, or the end of the output if the runner did not get that far. */
function failures(output) {
  const lines = output.split('\n')
  const failed = lines.filter(line => /^\s*(✖|not ok)/.test(line))
  return (failed.length > 0 ? failed : lines.slice(-30)).join('\n')
}
