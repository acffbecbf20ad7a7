'use strict'

/** A registry on this machine that has the packages of ipcio and no others. */

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { setTimeout: delay } = require('node:timers/promises')
const { tools } = require('./tools.js')

/** How long it may take to start. */
const LONGEST_START = 60_000

class Registry {
  #process
  address

  /** Starts a registry that keeps its files in `folder`. */
  async start(folder) {
    const port = await freePort()
    fs.mkdirSync(folder, { recursive: true })
    const config = path.join(folder, 'config.json')
    const everyone = { access: '$all', publish: '$all' }
    fs.writeFileSync(
      config,
      JSON.stringify({
        storage: path.join(folder, 'storage'),
        auth: { htpasswd: { file: path.join(folder, 'htpasswd') } },
        uplinks: {},
        packages: { '@ipcio/*': everyone, ipcio: everyone },
        log: { type: 'file', path: path.join(folder, 'log'), level: 'warn' },
      }),
    )
    this.address = `http://127.0.0.1:${port}/`
    this.#process = spawn(
      process.execPath,
      [tools.verdaccio, '--config', config, '--listen', `127.0.0.1:${port}`],
      { cwd: folder, stdio: 'ignore' },
    )
    const end = Date.now() + LONGEST_START
    while (!(await answers(this.address))) {
      if (Date.now() > end || this.#process.exitCode !== null) throw new Error('verdaccio does not start')
      await delay(200)
    }
    return this
  }

  /** The content of a project's .npmrc. */
  get npmrc() {
    const { host } = new URL(this.address)
    return `registry=${this.address}\n//${host}/:_authToken=unused\n`
  }

  stop() {
    this.#process?.kill()
  }
}

module.exports = { Registry }

async function answers(address) {
  try {
    return (await fetch(`${address}-/ping`)).ok
  } catch {
    return false
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
