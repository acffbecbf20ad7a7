'use strict'

/** A user's project, in an empty folder on a system without Rust. */

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const WORKS = 'It works.'

/** Other places where programs would find Rust, a registry, or earlier downloads. */
const HIDDEN = /^(npm_|NPM_|CARGO|RUST|IPCIO_|NODE_|BUN_|DENO_|YARN_|PNPM_|COREPACK_)/

class Project {
  #base
  #node
  folder

  /** A project that runs on this Node.js. */
  constructor(node = process.execPath) {
    this.#base = fs.mkdtempSync(path.join(os.tmpdir(), 'ipcio-dist-check-'))
    this.#node = node
    this.folder = this.path('project')
    for (const folder of ['project', 'bin', 'home']) fs.mkdirSync(this.path(folder))
    for (const [name, program] of [
      ['node', node],
      ['sh', '/bin/sh'],
    ]) {
      fs.symlinkSync(program, this.path('bin', name))
    }
    this.write('package.json', JSON.stringify({ name: 'project', version: '1.0.0', private: true }))
    for (const program of ['cargo', 'rustc']) {
      if (this.try(program, ['--version']).error?.code !== 'ENOENT') throw new Error(`there is a ${program}`)
    }
  }

  /** A path beside the project, which is removed with it. */
  path(...names) {
    return path.join(this.#base, ...names)
  }

  write(name, content) {
    const file = path.join(this.folder, name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, content)
    return file
  }

  /** Copies one of our programs into the project. */
  add(program) {
    return this.write(program, fs.readFileSync(path.join(__dirname, 'programs', program)))
  }

  /** Runs a program, and returns its output. Throws the output if the program fails. */
  run(program, args = [], options = {}) {
    const result = this.try(program, args, options)
    if (result.error) throw result.error
    if (result.status !== 0) {
      throw new Error(`${path.basename(program)} ${args.join(' ')}: ${result.signal ?? ''} ${result.output}`)
    }
    return result.output
  }

  node(args, options) {
    return this.run(this.#node, args, options)
  }

  /** Runs a program that prints that it works. */
  works(program, args, options) {
    const output = this.run(program, args, options)
    if (!output.includes(WORKS)) throw new Error(`it printed: ${output}`)
  }

  nodeWorks(args, options) {
    this.works(this.#node, args, options)
  }

  /** Runs a program, and returns its result even if it fails. */
  try(program, args, { env = {}, cwd = this.folder, timeout = 600_000 } = {}) {
    const shown = Object.entries(process.env).filter(([name]) => !HIDDEN.test(name))
    const { stdout, stderr, ...result } = spawnSync(program, args, {
      cwd,
      timeout,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
      env: {
        ...Object.fromEntries(shown),
        PATH: this.path('bin'),
        HOME: this.path('home'),
        XDG_CONFIG_HOME: this.path('home'),
        XDG_CACHE_HOME: this.path('home'),
        XDG_DATA_HOME: this.path('home'),
        ...env,
      },
    })
    return { ...result, output: `${stdout ?? ''}${stderr ?? ''}` }
  }

  remove() {
    fs.rmSync(this.#base, { recursive: true, force: true })
  }
}

module.exports = { Project }
