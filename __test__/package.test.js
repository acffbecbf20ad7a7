'use strict'

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const test = require('node:test')
const ipcio = require('..')

test('the package exports Server and Client', () => {
  assert.deepEqual(Object.keys(ipcio).sort(), ['Client', 'Server'])
  for (const name of ['Client', 'Server']) assert.equal(ipcio[name].name, name)
})

test('the package can be imported by name from an ES module', async () => {
  const { Client, Server } = await import('../index.js')
  assert.deepEqual([Client, Server], [ipcio.Client, ipcio.Server])
})

// It was experimental in Node.js 20.
const permission = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission'

const forbidding = {
  '--no-addons': ['--no-addons'],
  'the permission model': [permission, '--allow-fs-read=*'],
}

for (const [what, flags] of Object.entries(forbidding)) {
  test(`where ${what} keeps addons out, the error says so`, () => {
    const root = JSON.stringify(path.join(__dirname, '..'))
    const program = `try { require(${root}) } catch ({ code, message }) { console.log(code, message) }`
    const { stdout } = spawnSync(process.execPath, [...flags, '-e', program], { encoding: 'utf8' })
    assert.match(stdout, /^ERR_IPC_ADDONS_DISABLED .*--allow-addons/)
  })
}
