'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')
const { target, filePath, isBuilt } = require('../lib/binary.js')
const { interpreterOf } = require('../lib/libc.js')

const repository = path.join(__dirname, '..')
const manifest = require('../package.json')
const own = `@ipcio/${target()}`
// The suite is run with what was built here, and with what is published.
const binary = isBuilt() ? filePath() : require.resolve(own)
const other = target() === 'darwin-arm64' ? '@ipcio/linux-x64-gnu' : '@ipcio/darwin-arm64'

test("the binary of the platform's package is loaded", t => {
  const { load } = installation(t, { packages: { [own]: binary } })
  assert.equal(load(), 'loaded')
})

test('where there is no package, a binary that was built in place is loaded', t => {
  const { folder, load } = installation(t, {})
  fs.copyFileSync(binary, path.join(folder, path.basename(filePath())))
  assert.equal(load(), 'loaded')
})

test('in a clone, the binary that was built there is preferred to a package', t => {
  const { folder, load } = installation(t, { packages: { [own]: 'damaged' } })
  fs.copyFileSync(binary, path.join(folder, path.basename(filePath())))
  assert.match(load(), /^ERR_IPC_WRONG_BINARY/)
  fs.mkdirSync(path.join(folder, '.git'))
  assert.equal(load(), 'loaded')
})

test('without its optional dependencies, ipcio says how to install them', t => {
  const { load } = installation(t, {})
  assert.match(load(), /^ERR_IPC_NO_BINARY .* missing: .*--include=optional.*build\.js/)
})

test('for a platform without a package, and in a clone, ipcio says how to build', t => {
  const { folder, load } = installation(t, { optional: [other] })
  assert.match(load(), /^ERR_IPC_NO_BINARY .* missing: run `node scripts\/build\.js` in .*needs Rust/)
  fs.mkdirSync(path.join(folder, '.git'))
  assert.match(load(), /^ERR_IPC_NO_BINARY .* missing: run `npm run build` in .*needs Rust/)
})

test('the error says if node_modules was copied from another system', t => {
  const { load } = installation(t, { packages: { [other]: 'of another system' } })
  const says = load()
  assert.match(says, /^ERR_IPC_NO_BINARY .*for another system.*npm install/)
  assert.ok(says.includes(other))
})

test('a binary that does not load causes an error with the message of the system, and no other is tried', t => {
  const { folder, load } = installation(t, { packages: { [own]: 'damaged' } })
  fs.copyFileSync(binary, path.join(folder, path.basename(filePath())))
  const says = load()
  assert.match(says, /^ERR_IPC_WRONG_BINARY .*does not load on .*\(.+\): .*npm install/)
  assert.ok(says.includes(own))
})

test('the error says if a package lacks its file', t => {
  const { folder, load } = installation(t, { packages: { [own]: binary } })
  fs.rmSync(path.join(folder, '..', own, 'ipcio.node'))
  assert.match(load(), /^ERR_IPC_WRONG_BINARY/)
})

test('the error says if a binary has another version, with both versions', t => {
  const { load } = installation(t, { version: '9.8.7', packages: { [own]: binary } })
  const says = load()
  assert.match(says, /^ERR_IPC_WRONG_BINARY ipcio has version 9\.8\.7, but its binary has .*: /)
  assert.ok(says.includes(manifest.version))
})

test('in a bundle without its binary, the error mentions the bundler', t => {
  const { folder, load } = installation(t, {})
  fs.rmSync(path.join(folder, 'scripts'), { recursive: true })
  assert.match(load(), /^ERR_IPC_NO_BINARY .* bundler/)
})

test('the C library is read from the executable, wherever its name is in the file', t => {
  const folder = temporary(t)
  for (const [name, offset] of Object.entries({ near: 1_000, far: 128 * 1024 * 1024 })) {
    const file = path.join(folder, name)
    fs.writeFileSync(file, elf(offset))
    const descriptor = fs.openSync(file, 'r+')
    fs.writeSync(descriptor, '/lib/ld-musl-x86_64.so.1\0', offset)
    fs.closeSync(descriptor)
    assert.equal(interpreterOf(file), '/lib/ld-musl-x86_64.so.1')
    if (process.platform === 'linux') assert.equal(targetOf(file), `linux-${process.arch}-musl`)
  }
})

test('an executable that names no C library, or can not be read, leaves it to what Node.js reports', t => {
  const folder = temporary(t)
  const files = { text: '#!/bin/sh\n', empty: '', cut: elf(1_000).subarray(0, 80) }
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(folder, name)
    fs.writeFileSync(file, content)
    assert.equal(interpreterOf(file), null)
    assert.equal(targetOf(file), target())
  }
  assert.equal(interpreterOf(path.join(folder, 'missing')), null)
})

/** A folder in which ipcio is installed, with these packages beside it, and a function that loads it. */
function installation(t, { version = manifest.version, packages = {}, optional = [own, other] }) {
  const modules = path.join(temporary(t), 'node_modules')
  const folder = path.join(modules, 'ipcio')
  fs.cpSync(path.join(repository, 'lib'), path.join(folder, 'lib'), { recursive: true })
  fs.mkdirSync(path.join(folder, 'scripts'))
  fs.writeFileSync(path.join(folder, 'scripts', 'build.js'), '')
  fs.copyFileSync(path.join(repository, 'index.js'), path.join(folder, 'index.js'))
  const optionalDependencies = Object.fromEntries(optional.map(name => [name, version]))
  fs.writeFileSync(
    path.join(folder, 'package.json'),
    JSON.stringify({ ...manifest, version, optionalDependencies }),
  )
  for (const [name, content] of Object.entries(packages)) {
    const place = path.join(modules, name)
    fs.mkdirSync(place, { recursive: true })
    fs.writeFileSync(path.join(place, 'package.json'), JSON.stringify({ name, version, main: 'ipcio.node' }))
    const binary = path.join(place, 'ipcio.node')
    if (path.isAbsolute(content)) fs.copyFileSync(content, binary)
    else fs.writeFileSync(binary, content)
  }
  return { folder, load: () => run(`require(${JSON.stringify(folder)}); console.log('loaded')`) }
}

function targetOf(executable) {
  return run(`
    process.execPath = ${JSON.stringify(executable)}
    console.log(require(${JSON.stringify(path.join(repository, 'lib', 'binary.js'))}).target())
  `)
}

function run(program) {
  const caught = `try { ${program} } catch ({ code, message }) { console.log(code, message) }`
  return spawnSync(process.execPath, ['-e', caught], { encoding: 'utf8' }).stdout.trim()
}

function temporary(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ipcio-loading-'))
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The head of an executable of 64 bits that says that the name of its loader is at this offset. */
function elf(offset) {
  const head = Buffer.alloc(64 + 2 * 56)
  head.write('\x7fELF\x02\x01\x01', 'latin1')
  head.writeBigUInt64LE(64n, 32)
  head.writeUInt16LE(56, 54)
  head.writeUInt16LE(2, 56)
  head.writeUInt32LE(1, 64)
  head.writeUInt32LE(3, 64 + 56)
  head.writeBigUInt64LE(BigInt(offset), 64 + 56 + 8)
  head.writeBigUInt64LE(25n, 64 + 56 + 32)
  return head
}
