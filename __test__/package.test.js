'use strict'

const assert = require('node:assert/strict')
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
