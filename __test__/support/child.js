'use strict'

/** Other processes: a fixture is run, tells what happens in lines on its output, and is killed by its id. */

const { spawn } = require('node:child_process')
const path = require('node:path')
const readline = require('node:readline')
const { within } = require('./deadline.js')

const FIXTURES = path.join(__dirname, '..', 'fixtures')

/**
 * A process that runs a fixture, or another program by its absolute path; `through` is a command that starts it, such as
 * `unshare`. Lines that begin with `@` are reports: a word and JSON text, as `fixtures/report.js` writes them.
 */
class Child {
  #reports = new Map()
  #waiting = new Map()

  constructor(fixture, args = [], options = {}) {
    const { env, node = [], through = [], ...others } = options
    this.fixture = fixture
    this.stdout = ''
    this.stderr = ''
    const [command, ...rest] = [...through, process.execPath, ...node, path.resolve(FIXTURES, fixture)]
    this.process = spawn(command, [...rest, ...args.map(String)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...others,
    })
    this.process.stdin.on('error', () => {})
    this.process.stderr.setEncoding('utf8').on('data', text => {
      this.stderr += text
    })
    readline
      .createInterface({ input: this.process.stdout, crlfDelay: Number.POSITIVE_INFINITY })
      .on('line', line => this.#line(line))
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject)
      this.process.on('close', (code, signal) => {
        resolve({ code, signal })
        this.#end(code, signal)
      })
    })
  }

  get pid() {
    return this.process.pid
  }

  /** The value of the next report of this kind; rejects if the process ends before. */
  report(kind, patience) {
    const early = this.#reports.get(kind)
    if (early?.length) return Promise.resolve(early.shift())
    const next = new Promise((resolve, reject) => {
      if (this.over) return reject(this.#ended(kind))
      const queue = this.#waiting.get(kind) ?? []
      this.#waiting.set(kind, [...queue, { resolve, reject }])
    })
    return within(next, `${this.fixture} to report '${kind}'`, patience)
  }

  /** Writes a line to its input. */
  tell(line) {
    this.process.stdin.write(`${line}\n`)
  }

  /** How it ends: exit code and signal. */
  end(patience) {
    return within(this.ended, `${this.fixture} to end`, patience)
  }

  /** Sends a signal, and waits for its end if that is SIGKILL. */
  async kill(signal = 'SIGKILL') {
    if (!this.over) this.process.kill(signal)
    if (signal === 'SIGKILL') await this.end()
  }

  #line(line) {
    if (!line.startsWith('@')) {
      this.stdout += `${line}\n`
      return
    }
    const [, kind, text] = /^@(\S+) ?(.*)$/.exec(line)
    const value = text ? JSON.parse(text) : undefined
    const waiting = this.#waiting.get(kind)
    if (waiting?.length) {
      waiting.shift().resolve(value)
    } else {
      const queue = this.#reports.get(kind) ?? []
      queue.push(value)
      this.#reports.set(kind, queue)
    }
  }

  #end(code, signal) {
    this.over = { code, signal }
    for (const [kind, queue] of this.#waiting) {
      for (const { reject } of queue) reject(this.#ended(kind))
    }
  }

  #ended(kind) {
    const { code, signal } = this.over
    return new Error(`${this.fixture} ended (${signal ?? code}) before it reported '${kind}': ${this.stderr}`)
  }
}

module.exports = { Child, FIXTURES }
