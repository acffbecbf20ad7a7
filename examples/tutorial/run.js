'use strict'

/**
 * `npm start`: runs the two programs of the tutorial and shows what each of them prints. The client starts first, to show
 * that it waits for its server.
 */

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const readline = require('node:readline')
const { setTimeout: sleep } = require('node:timers/promises')

const HEAD_START_MS = 500
const TIME_LIMIT_MS = 30_000
const COLORS = { client: '\x1b[32m', server: '\x1b[36m', off: '\x1b[0m' }

// Each run has its own domain, so that two runs at the same time do not mix.
const env = { ...process.env, TUTORIAL_DOMAIN: `greenhouse-${process.pid}` }

async function main() {
  console.log('A client and a server, two processes, communicate through ipcio. The client starts first.\n')
  const client = start('client')
  await sleep(HEAD_START_MS)
  const server = start('server')

  const limit = setTimeout(() => {
    console.error(`The tutorial did not end within ${TIME_LIMIT_MS / 1000} s. Please report this.`)
    client.process.kill('SIGKILL')
    server.process.kill('SIGKILL')
  }, TIME_LIMIT_MS)
  // Without the server, the client would wait forever.
  server.succeeded.then(succeeded => succeeded || client.process.kill())

  const results = [await client.succeeded]
  server.process.kill('SIGTERM')
  results.push(await server.succeeded)
  clearTimeout(limit)

  if (results.includes(false)) process.exitCode = 1
  else console.log('\nRead examples/tutorial/client.js and examples/tutorial/server.js to see how it works.')
}

/** Starts one of the programs, and prefixes each line that it prints with its name. */
function start(name) {
  const child = spawn(process.execPath, [path.join(__dirname, `${name}.js`)], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const prefix = inColor(name)
  readline.createInterface({ input: child.stdout }).on('line', line => console.log(`${prefix} | ${line}`))
  return { process: child, succeeded: once(child, 'close').then(([code]) => code === 0) }
}

function inColor(name) {
  return process.stdout.isTTY && !process.env.NO_COLOR ? `${COLORS[name]}${name}${COLORS.off}` : name
}

main()
