'use strict'

/** Other runtimes and versions than the current one, with packages from their files. */

const fs = require('node:fs')
const path = require('node:path')
const { bundlers } = require('./bundlers.js')
const { Project } = require('./project.js')
const { runSuite, installFiles } = require('./suite.js')
const { tools, versionOf, NODES } = require('./tools.js')

/** The tests that show most about a binary and take little time. */
const TESTS = [
  'package',
  'client',
  'server',
  'delivery',
  'payload',
  'order',
  'teardown',
  'exit',
  'reconnection',
]

async function checkRuntimes(report, tarballs) {
  for (const version of NODES) {
    const node = tools.node(version)
    await report.check(`runtime: Node.js ${versionOf(`node-${version}`)}`, () =>
      within(node, tarballs, project => {
        project.nodeWorks([project.add('round-trip.js')])
        project.nodeWorks([project.add('module.mjs')])
        return runSuite(project, node, TESTS)
      }),
    )
    await report.check(`runtime: Node.js ${version} --permission`, () =>
      within(node, tarballs, project => permitted(project, version)),
    )
  }
  await report.check(`runtime: Bun ${versionOf('@oven/bun-linux-x64')}`, () =>
    within(process.execPath, tarballs, project => {
      project.works(tools.bun, [project.add('round-trip.js')])
      project.works(tools.bun, [project.add('module.mjs')])
    }),
  )
  // With the permissions that docs/installing.md lists.
  await report.check(`runtime: Deno ${versionOf('@deno/linux-x64-glibc')}`, () =>
    within(process.execPath, tarballs, project => {
      const run = ['run', '--no-prompt', '--node-modules-dir=manual']
      const allowed = ['--allow-read=.', '--allow-env=IPCIO_DRIVER']
      const program = project.add('module.mjs')
      project.works(tools.deno, [...run, ...allowed, '--allow-ffi', program])
      const { output } = project.try(tools.deno, [...run, ...allowed, program])
      if (!output.includes('start Deno with --allow-ffi')) throw new Error(output)
    }),
  )
  for (const [name, bundle] of Object.entries(bundlers)) {
    await report.check(`bundler: ${name}`, () => within(process.execPath, tarballs, bundle))
  }
}

module.exports = { checkRuntimes }

/** The least that must be allowed, as docs/installing.md says. */
function permitted(project, version) {
  const permission = version < 22 ? '--experimental-permission' : '--permission'
  const program = project.add('round-trip.js')
  const reads = `--allow-fs-read=${fs.realpathSync(project.folder)}/`
  project.nodeWorks([permission, '--allow-addons', reads, program])
  const { output } = project.try(project.path('bin', 'node'), [permission, reads, program])
  if (!output.includes('ERR_IPC_ADDONS_DISABLED')) throw new Error(output)
}

function within(node, tarballs, use) {
  const project = new Project(node)
  try {
    installFiles(tarballs, path.join(project.folder, 'node_modules'))
    return use(project)
  } finally {
    project.remove()
  }
}
