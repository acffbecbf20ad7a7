'use strict'

const assert = require('node:assert/strict')
const test = require('node:test')
const { setTimeout: sleep } = require('node:timers/promises')
const { Client, Server } = require('..')
const { Domain } = require('./support/domain.js')

const ESCAPE = '\u001b'
const BOLD = `${ESCAPE}[1m`
const DIM = `${ESCAPE}[2m`
const YELLOW = `${ESCAPE}[33m`

/** Runs a server and a client that send each other one message, and returns what they print. */
async function run(t, manner, env) {
  const domain = new Domain(t)
  const child = domain.spawn('verbose.js', [manner], { env: { IPCIO_LOG: '', NO_COLOR: undefined, ...env } })
  assert.deepEqual(await child.end(), { code: 0, signal: null }, child.stderr)
  return child
}

test('verbose can be read and set at any time', () => {
  for (const Class of [Server, Client]) {
    assert.equal(new Class().verbose, false)
    const instance = new Class({ verbose: true })
    assert.equal(instance.verbose, true)
    instance.verbose = false
    assert.equal(instance.verbose, false)
  }
})

test('nothing is printed without verbose', async t => {
  const child = await run(t, 'quiet', { FORCE_COLOR: '1' })
  assert.equal(child.stdout, '')
  assert.equal(child.stderr, '')
})

test('verbose prints what happens, with a title, a subject and details', async t => {
  const child = await run(t, 'verbose', { FORCE_COLOR: '0' })
  const printed = child.stdout
  assert.ok(!printed.includes(ESCAPE), printed)
  assert.match(printed, /HANDLER EXEC.*spoken/)
  assert.match(printed, /CONNECT.*talker/)
  assert.equal(child.stderr, '')
})

test('verbose tells of a message whose command has no handler', async t => {
  const { stdout } = await run(t, 'verbose', { FORCE_COLOR: '0' })
  assert.match(stdout, /NO HANDLER spokn from talker/)
  assert.match(stdout, /NO HANDLER hird from the server/)
})

test('verbose is in colour where colour is asked for: bold title, yellow subject, dim details', async t => {
  const { stdout } = await run(t, 'verbose', { FORCE_COLOR: '1' })
  const line = stdout.split('\n').find(text => text.includes('HANDLER EXEC') && text.includes('spoken'))
  assert.ok(line, stdout)
  for (const code of [BOLD, YELLOW, DIM]) assert.ok(line.includes(code), JSON.stringify(line))
  const [title, subject] = [line.indexOf('HANDLER EXEC'), line.indexOf('spoken')]
  assert.ok(
    line.lastIndexOf(BOLD, title) >= 0 && line.lastIndexOf(YELLOW, subject) > title,
    JSON.stringify(line),
  )
})

test('verbose prints no colour where the output is no terminal', async t => {
  const { stdout } = await run(t, 'verbose', { FORCE_COLOR: undefined })
  assert.match(stdout, /HANDLER EXEC/)
  assert.ok(!stdout.includes(ESCAPE), stdout)
})

test('verbose that is set later prints from then on, and no longer once it is unset', async t => {
  const { stdout } = await run(t, 'switched', { FORCE_COLOR: '0' })
  const told = stdout.split('\n').filter(line => line.includes('HANDLER EXEC'))
  assert.deepEqual(
    told.map(line => /spoken|before|after/.exec(line)?.[0]),
    ['spoken'],
  )
})

test('verbose of one instance is not that of another', async t => {
  const { stdout } = await run(t, 'client-only', { FORCE_COLOR: '0' })
  assert.match(stdout, /CLIENT/)
  assert.doesNotMatch(stdout, /HANDLER EXEC.*spoken/)
})

test('IPCIO_LOG=debug shows the same on stderr, without verbose', async t => {
  const child = await run(t, 'quiet', { IPCIO_LOG: 'debug' })
  assert.equal(child.stdout, '')
  assert.match(child.stderr, /HANDLER EXEC.*spoken/)
})

test('IPCIO_LOG takes a filter', async t => {
  for (const filter of ['off', 'error', 'something_else=debug']) {
    const child = await run(t, 'quiet', { IPCIO_LOG: filter })
    assert.equal(child.stderr, '', filter)
  }
  const child = await run(t, 'quiet', { IPCIO_LOG: 'error,ipcio=debug' })
  assert.match(child.stderr, /HANDLER EXEC.*spoken/)
})

test('a part of IPCIO_LOG that is neither a level nor target=level is named, and the others count', async t => {
  const child = await run(t, 'quiet', { IPCIO_LOG: 'ipcio=loud,debug' })
  assert.match(child.stderr, /IPCIO_LOG ignores "ipcio=loud"/)
  assert.match(child.stderr, /HANDLER EXEC.*spoken/)
})

test('no line is lost if the reader of the output is slow', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('verbose.js', ['verbose-crowd'], { env: { IPCIO_LOG: '', FORCE_COLOR: '0' } })
  // The output stays unread until long after the pipe is full.
  child.process.stdout.pause()
  await sleep(1000)
  child.process.stdout.resume()
  assert.deepEqual(await child.end(), { code: 0, signal: null }, child.stderr)
  assert.equal(child.stdout.split('\n').filter(line => /^HANDLER EXEC.*spoken/.test(line)).length, 3001)
})
