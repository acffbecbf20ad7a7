'use strict'

/** The programs in examples/ run, and print what they are meant to. */

const assert = require('node:assert/strict')
const path = require('node:path')
const test = require('node:test')
const { until } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const folder = path.join(__dirname, '..', 'examples')

test('the greenhouse that asks its clients', async t => {
  const domain = new Domain(t)
  const options = { env: { EXAMPLE_DOMAIN: domain.name } }
  const server = domain.spawn(path.join(folder, 'asking-clients', 'server.js'), [], options)
  // Its first argument is the name of the domain, which the sensor takes for its own.
  const name = domain.name
  const child = path.join(folder, 'asking-clients', 'client.js')
  const client = domain.spawn(child, [], options)
  await until(() => server.stdout.includes('waiting'), 'the server has asked')
  assert.equal(client.stdout, 'read in °C\n')
  assert.match(
    server.stdout,
    new RegExp(`^${name} measures 21 °C\n${name}: This sensor has a fault \\(E_FAULT\\)\n`),
  )
  assert.match(
    server.stdout,
    new RegExp(`\n${name}, process ${client.pid}, is connected since [\\d-]+T[\\d:.]+Z: \\d+ waiting\n`),
  )
  for (const program of [client, server]) {
    await program.kill('SIGTERM')
    assert.equal((await program.end()).code, 0, program.stderr)
  }
})
