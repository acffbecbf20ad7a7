'use strict'

/** The documentation: its links lead to something that exists, and its programs run and print what it says. */

const assert = require('node:assert/strict')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const test = require('node:test')
const { until } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')
const { isCheckout } = require('../lib/binary.js')

const root = path.join(__dirname, '..')
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'bench/README.md'],
  ...fs.readdirSync(path.join(root, 'docs')).map(file => path.join('docs', file)),
].filter(page => page.endsWith('.md'))

/** Folders that are not in the repository. */
const MADE = ['node_modules', 'target', 'dist']

for (const page of pages) {
  test(`the links of ${page} lead to files and headings that exist`, () => {
    const text = withoutFences(read(page))
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue
      const [file, anchor] = target.split('#')
      const found = file === '' ? page : path.join(path.dirname(page), file)
      assert.ok(isThere(found), `${target} does not exist`)
      if (anchor !== undefined) assert.ok(anchorsOf(read(found)).includes(anchor), `${target} has no heading`)
    }
  })
}

for (const page of pages.filter(page => programsOf(read(page)).length > 0)) {
  test(`the programs of ${page} run, and print what it says`, async t => {
    const domain = new Domain(t)
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ipcio-docs-'))
    domain.defer(() => fs.rmSync(folder, { recursive: true }))
    fs.mkdirSync(path.join(folder, 'node_modules'))
    fs.symlinkSync(root, path.join(folder, 'node_modules', 'ipcio'))
    const programs = programsOf(read(page)).map(({ name, text }) => {
      const file = path.join(folder, name)
      fs.writeFileSync(file, text.replaceAll(/domain: '[^']*'/g, `domain: '${domain.name}'`))
      return { name, process: domain.spawn(file), endsByItself: endsByItself(text) }
    })
    for (const { name, process } of programs.filter(program => program.endsByItself)) {
      const { code } = await process.end()
      assert.equal(code, 0, `${name}: ${process.stderr}`)
    }
    const lines = fencesOf(read(page), 'text').join('').split('\n')
    await until(() => {
      const printed = programs.flatMap(({ process }) => process.stdout.split('\n'))
      return lines.every(line => printed.includes(line))
    }, `the programs print ${lines}`)
    for (const { name, process } of programs) assert.equal(process.stderr, '', name)
  })
}

// An installed package does not contain CONTRIBUTING.md.
if (isCheckout()) {
  test('the files that CONTRIBUTING.md names exist, and its map has all folders', () => {
    const text = read('CONTRIBUTING.md')
    const named = [...text.matchAll(/`((?:\w+|\.\w+)\/[\w./-]*)`/g)].map(([, file]) => file)
    const map = [...text.matchAll(/^ {4}( {2})?(\S+(?:, \S+)*) {2,}\S/gm)].flatMap(([, isInside, names]) =>
      names.split(', ').map(name => (isInside ? `src/${name}` : name)),
    )
    for (const file of [...named, ...map])
      assert.ok(file === 'dist/' || isThere(file), `${file} does not exist`)
    const folders = fs.readdirSync(root, { withFileTypes: true }).filter(entry => entry.isDirectory())
    for (const { name } of folders.filter(({ name }) => !name.startsWith('.') && !MADE.includes(name))) {
      assert.ok(map.includes(`${name}/`), `${name}/ is not in the map`)
    }
  })
}

/** A server runs until it is stopped. */
function endsByItself(program) {
  return !program.includes('.start()') || program.includes('.close()')
}

/** The JavaScript programs of a page. A comment in the first line names the file. */
function programsOf(markdown) {
  return fencesOf(markdown, 'js').map((text, index) => {
    return { name: /^\/\/ (\S+\.js)\n/.exec(text)?.[1] ?? `program-${index}.js`, text }
  })
}

/** The code blocks of a language. */
function fencesOf(markdown, language) {
  return [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, found]) => found === language)
    .map(([, , text]) => text)
}

/** The anchors that the headings of a page have on GitHub. */
function anchorsOf(markdown) {
  return [...withoutFences(markdown).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\- _]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function withoutFences(markdown) {
  return markdown.replaceAll(/^```.*?^```$/gms, '')
}

function read(page) {
  return fs.readFileSync(path.join(root, page), 'utf8')
}

function isThere(file) {
  return fs.existsSync(path.join(root, file))
}
