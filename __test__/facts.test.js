'use strict'

/** Facts that more than one language or document states must be the same everywhere. */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')
const constants = require('../lib/constants.js')
const { engines } = require('../package.json')
const { KIND } = require('./support/raw-peer.js')

const MEBIBYTE = 1024 * 1024
const UNITS = { s: 1000, MiB: MEBIBYTE }

const root = path.join(__dirname, '..')
const read = file => fs.readFileSync(path.join(root, file), 'utf8')
const listOf = folder => fs.readdirSync(path.join(root, folder)).map(file => path.join(folder, file))
const documents = listOf('docs').filter(file => file.endsWith('.md'))
const programs = listOf('lib').filter(file => file.endsWith('.js'))
const typings = ['index.d.ts', ...listOf('lib/types')]

const codesIn = text => [...new Set(text.match(/ERR_IPC_\w+/g))].sort()
const defaults = new Map(constants.settings.map(setting => [setting.name, setting.default]))

test('each code of an error is declared and documented, and no others are', () => {
  const used = codesIn([...constants.codes, ...programs.map(read)].join('\n'))
  const declared = read('lib/types/errors.d.ts').match(/(?<=\| ')ERR_IPC_\w+(?=')/g)
  assert.deepEqual([...declared].sort(), used)
  // The first table. Another table lists the errors that a client waits for.
  const [table] = read('docs/errors.md').split('\n## ')
  const sections = table.match(/(?<=^\| `)ERR_IPC_\w+(?=`)/gm)
  assert.deepEqual([...sections].sort(), used)
  for (const file of [...documents, ...typings]) {
    for (const code of codesIn(read(file))) assert.ok(used.includes(code), `${file}: ${code}`)
  }
})

test('the defaults in the typings are those of Rust', () => {
  const told = new Map()
  const option = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2}(\w+)\?:/g
  for (const [, comment, name] of read('lib/types/options.d.ts').matchAll(option)) {
    const [, value] = /Default:[\s*]+`([^`]+)`/.exec(comment) ?? []
    if (value !== undefined) told.set(name, value)
  }
  for (const [name, value] of defaults) assert.equal(told.get(name), String(value), name)
  assert.equal(told.get('domain'), `'${constants.domain}'`)
  assert.equal(told.get('mode'), `0o${constants.mode.toString(8)}`)
})

test('the defaults in the documents are those of Rust', () => {
  const told = documents.flatMap(file => {
    const row = /^\| `(\w+)` \| ([\d,]+)( \w+)? \|/gm
    const inText = /`(\w+)`(?: \w+)? \(([\d,]+)( (?:MiB|s))?\)/g
    return [row, inText].flatMap(pattern => [...read(file).matchAll(pattern)].map(match => [file, ...match]))
  })
  const found = told.filter(([, , name]) => defaults.has(name))
  assert.ok(found.length > 10, 'the documents state some')
  for (const [file, text, name, number, unit] of found) {
    assert.equal(amountOf(number, unit), defaults.get(name), `${file}: ${text}`)
  }
})

test('the commands that are documented as reserved are those that Rust refuses', () => {
  const list = constants.restrictedCommands
  const [, documented] = /^\| `ERR_IPC_RESTRICTED_COMMAND` .* one of (.*?) \|/m.exec(read('docs/errors.md'))
  assert.deepEqual(documented.match(/(?<=`)\w+(?=`)/g), list)
  const [, declared] = /for a name that ipcio reserves \(([^)]*)\)/.exec(read('index.d.ts'))
  assert.deepEqual(declared.match(/\w+/g), list)
})

test('the longest names are documented', () => {
  assert.match(read('docs/errors.md'), new RegExp(`more than ${constants.longestDomain} bytes`))
  assert.match(read('docs/protocol.md'), new RegExp(`1 to ${constants.longestDomain} bytes`))
  assert.match(read('docs/protocol.md'), new RegExp(`1 to ${constants.longestName} bytes`))
})

test('the kinds of messages are those of the protocol', () => {
  const rows = read('docs/protocol.md').matchAll(/^\| (\d+) \| (\w+) \| (?:both|client|server) \|/gm)
  const documented = Object.fromEntries(
    [...rows].map(([, number, name]) => [name.toUpperCase(), Number(number)]),
  )
  assert.deepEqual(documented, KIND)
  for (const name of ['SEND', 'EMIT', 'BROADCAST', 'REQUEST', 'DISCOVER']) {
    assert.equal(constants.messages[name], documented[name], name)
  }
})

test('the oldest Node.js is documented', () => {
  const oldest = /\d+/.exec(engines.node)[0]
  for (const file of documents) {
    for (const [text, orLater, older] of read(file).matchAll(
      /Node\.js (\d+) or later|older than version (\d+)/g,
    )) {
      assert.equal(orLater ?? older, oldest, `${file}: ${text}`)
    }
  }
})

test('a constant that the binary lacks throws', () => {
  for (const facts of [constants, constants.events, constants.flags, constants.messages]) {
    assert.throws(() => facts.UNHEARD_OF, { code: 'ERR_IPC_WRONG_BINARY', message: /UNHEARD_OF/ })
  }
})

for (const [what, kind] of [
  ['unknown to both', constants.eventLengths.length],
  ["of the other side's", null],
]) {
  for (const role of ['Server', 'Client']) {
    test(`a ${role} that learns of a kind of event ${what} fails loudly`, () => {
      const other = role === 'Server' ? constants.events.CONNECTED : constants.events.SESSION_CONNECTED
      const program = `
        const native = require('./lib/binding.js')
        native.${role}.prototype.${role === 'Server' ? 'start' : 'connect'} = onEvents => onEvents('[${kind ?? other},1,2,3]')
        const instance = new (require('.').${role})()
        process.on('uncaughtException', ({ code, message }) => console.log(code, message))
        instance.${role === 'Server' ? 'start' : 'connect'}()
      `
      const { stdout } = spawnSync(process.execPath, ['-e', program], { cwd: root, encoding: 'utf8' })
      assert.match(
        stdout,
        /^ERR_IPC_WRONG_BINARY ipcio's JavaScript files and its binary have different versions: .*kind \d+/,
      )
    })
  }
}

function amountOf(number, unit = '') {
  return Number(number.replaceAll(',', '')) * (UNITS[unit.trim()] ?? 1)
}
