'use strict'

/** Package managers with their default policies, which install ipcio from a registry on a system without Rust. */

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Project } = require('./project.js')
const { Registry } = require('./registry.js')
const { tools, versionOf } = require('./tools.js')

const NEWEST_NODE = tools.node(24)

const INSTALLERS = {
  'npm-10': project => project.node([tools.npm(10), 'install', 'ipcio']),
  'npm-11': project => project.node([tools.npm(11), 'install', 'ipcio']),
  'npm-12': project => project.node([tools.npm(12), 'install', 'ipcio']),
  pnpm: project => project.run(tools.pnpm, ['add', 'ipcio']),
  yarn: project => project.node([tools.yarn, 'add', 'ipcio']),
  '@yarnpkg/cli-dist': (project, registry) => {
    const settings = {
      npmRegistryServer: registry.address,
      unsafeHttpWhitelist: ['127.0.0.1'],
      // The packages are only seconds old.
      npmMinimalAgeGate: 0,
      nodeLinker: 'node-modules',
      enableTelemetry: false,
    }
    project.write('.yarnrc.yml', JSON.stringify(settings))
    project.write('yarn.lock', '')
    project.node([tools.berry, 'add', 'ipcio'])
  },
  '@oven/bun-linux-x64': project => project.run(tools.bun, ['add', 'ipcio']),
}

async function checkInstallers(report, tarballs) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ipcio-registry-'))
  const registry = new Registry()
  try {
    await report.check('install: a registry with all packages', async () => {
      await registry.start(folder)
      publish(registry, tarballs)
    })
    for (const [name, install] of Object.entries(INSTALLERS)) {
      await report.check(`install:  ${name} ${versionOf(name)}`, () => installAndRun(registry, install))
    }
    await report.check('install: --omit=optional: how to install the rest is told', () =>
      omitOptional(registry),
    )
  } finally {
    registry.stop()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

module.exports = { checkInstallers }

function publish(registry, tarballs) {
  within(registry, project => {
    for (const tarball of tarballs) project.node([tools.npm(11), 'publish', tarball, '--access', 'public'])
  })
}

/** Returns which of the packages with binaries were installed: the one for this machine. */
function installAndRun(registry, install) {
  return within(registry, project => {
    install(project, registry)
    for (const driver of ['loop', 'thread']) {
      project.nodeWorks([project.add('round-trip.js')], { env: { IPCIO_DRIVER: driver } })
    }
    const installed = new Set(
      fs
        .readdirSync(path.join(project.folder, 'node_modules'), { recursive: true })
        .filter(file => file.endsWith(`${path.sep}ipcio.node`))
        .map(file => path.basename(path.dirname(file))),
    )
    return `with ${[...installed].join(', ')}`
  })
}

function omitOptional(registry) {
  within(registry, project => {
    project.node([tools.npm(12), 'install', 'ipcio', '--omit=optional'])
    const { output } = project.try(NEWEST_NODE, [project.add('round-trip.js')])
    if (!/ERR_IPC_NO_BINARY/.test(output) || !/--include=optional/.test(output)) throw new Error(output)
    project.node([tools.npm(12), 'install', '--include=optional'])
    project.nodeWorks(['round-trip.js'])
  })
}

function within(registry, use) {
  const project = new Project(NEWEST_NODE)
  try {
    project.write('.npmrc', registry.npmrc)
    return use(project)
  } finally {
    project.remove()
  }
}
