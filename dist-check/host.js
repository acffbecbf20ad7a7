'use strict'

/** This machine's packages, installed from their files into an empty folder. */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../lib/binary.js')
const { bundlers } = require('./bundlers.js')
const { Project } = require('./project.js')

const DRIVERS = ['loop', 'thread']

/** The scripts that package managers may run. */
const LIFECYCLE = ['preinstall', 'install', 'postinstall', 'prepare']

async function checkHost(report, tarballs, npm) {
  const project = new Project()
  try {
    await report.check('host: npm i --offline of the files, without Rust', () => {
      project.node([npm, 'install', '--offline', '--no-audit', '--no-fund', ...tarballs])
      const folder = path.join(project.folder, 'node_modules', 'ipcio')
      const built = fs.readdirSync(folder).filter(isBuilt)
      if (built.length > 0) throw new Error(`ipcio has ${built} in it`)
      const { scripts } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'))
      const run = Object.keys(scripts).filter(name => LIFECYCLE.includes(name))
      if (run.length > 0) throw new Error(`ipcio has a script ${run}`)
    })
    await report.check('host: the sources in the package are whole', () => {
      // Cargo looks for every file that the manifests name.
      const cwd = path.join(project.folder, 'node_modules', 'ipcio')
      execFileSync('cargo', ['metadata', '--no-deps', '--offline', '--format-version', '1'], { cwd })
    })
    for (const driver of DRIVERS) {
      const env = { IPCIO_DRIVER: driver }
      await report.check(`host: require, ${driver}`, () =>
        project.nodeWorks([project.add('round-trip.js')], { env }),
      )
      await report.check(`host: import, ${driver}`, () =>
        project.nodeWorks([project.add('module.mjs')], { env }),
      )
    }
    await report.check('host: TypeScript', () => compileAndRun(project))
    for (const bundle of [bundlers.ncc, bundlers.esbuild]) {
      await report.check(`host: ${bundle.name}, run in another folder`, () => bundle(project))
    }
  } finally {
    project.remove()
  }
}

module.exports = { checkHost }

function compileAndRun(project) {
  const program = project.add('typed.ts')
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const options = ['--strict', '--module', 'node16', '--target', 'es2022', '--types', '']
  const declared = project.write('console.d.ts', 'declare const console: { log(text: string): void }\n')
  project.node([compiler, ...options, '--lib', 'es2022', '--outDir', 'compiled', program, declared])
  project.nodeWorks([path.join('compiled', 'typed.js')])
}

function isBuilt(name) {
  return name.endsWith('.node') || name === 'target'
}
