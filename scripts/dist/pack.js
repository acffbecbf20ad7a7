'use strict'

/** Makes the packages that are published, from the repository and the binaries. */

const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../../lib/binary.js')
const { npmJson } = require('../npm.js')
const { TARGETS } = require('./targets.js')

const manifest = require('../../package.json')

const staging = path.join(root, 'target', 'dist', 'packages')
const destination = path.join(root, 'dist')
const address = manifest.bugs.replace(/\/issues$/, '')

/** Packs the main package, and returns the tarball's path. */
function packMain() {
  const folder = emptyFolder('ipcio')
  const [{ files }] = Object.values(npmJson(['pack', '--dry-run', '--ignore-scripts']))
  for (const { path: file } of files.filter(({ path: file }) => !file.endsWith('.node'))) {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true })
    fs.copyFileSync(path.join(root, file), path.join(folder, file))
  }
  writeJson(path.join(folder, 'package.json'), publishedManifest())
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8')
  fs.writeFileSync(path.join(folder, 'README.md'), withAddresses(readme))
  return pack(folder)
}

/** Packs a platform's package around its library, and returns the tarball's path. */
function packPlatform(target, { library, remark }) {
  const { os, cpu, libc } = TARGETS[target]
  const folder = emptyFolder(target)
  const name = `@ipcio/${target}`
  const description = `The binary of ipcio for ${target}${remark ? ` (${remark})` : ''}`
  const { version, homepage, bugs, repository, license, author, engines } = manifest
  fs.copyFileSync(library, path.join(folder, 'ipcio.node'))
  fs.copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'))
  fs.writeFileSync(
    path.join(folder, 'README.md'),
    `# ${name}\n\n${description}. It comes with [ipcio](${homepage}), where it is wanted: install that.\n`,
  )
  writeJson(path.join(folder, 'package.json'), {
    name,
    version,
    description,
    homepage,
    bugs,
    repository,
    license,
    author,
    main: 'ipcio.node',
    files: ['ipcio.node'],
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    publishConfig: { access: 'public' },
  })
  return pack(folder)
}

module.exports = { destination, packMain, packPlatform }

/**
 * The repository's package.json has no packages with binaries in it: a lock file cannot name packages that no
 * registry has yet. The published package.json has no scripts that npm runs.
 */
function publishedManifest() {
  const { devDependencies, scripts, ...rest } = manifest
  const packages = Object.keys(TARGETS).map(target => [`@ipcio/${target}`, manifest.version])
  return {
    ...rest,
    files: manifest.files.filter(file => !file.endsWith('.node')),
    scripts: { build: scripts.build },
    optionalDependencies: Object.fromEntries(packages.sort()),
  }
}

/** Makes links absolute, to this version in the repository, as a registry shows the page on its own site. */
function withAddresses(markdown) {
  return markdown
    .replace(/!\[([^\]]*)\]\((?!\w+:)([^)#]+)\)/g, `![$1](${address}/raw/v${manifest.version}/$2)`)
    .replace(/(?<!!)\[([^\]]*)\]\((?!\w+:|#)([^)]+)\)/g, `[$1](${address}/blob/v${manifest.version}/$2)`)
}

function pack(folder) {
  fs.mkdirSync(destination, { recursive: true })
  const args = ['pack', folder, '--pack-destination', destination, '--ignore-scripts']
  const [{ filename }] = Object.values(npmJson(args))
  // Some versions of npm print a scoped package's name instead of its file's.
  return path.join(destination, filename.replace('@', '').replace('/', '-'))
}

function emptyFolder(name) {
  const folder = path.join(staging, name)
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder, { recursive: true })
  return folder
}

function writeJson(file, value) {
  fs.writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
}
