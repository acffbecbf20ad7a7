'use strict'

/**
 * Runs the tutorial's two programs and shows what each of them says. The client goes first, to show
 * that it waits for its server.
 */

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const readline = require('node:readline')
const { setTimeout: sleep } = require('node:timers/promises')

const HEAD_START_MS = 500
const TIME_LIMIT_MS = 30_000
const COLOURS = { client: '\x1b[32m', server: '\x1b[36m', off: '\x1b[0m' }

// A domain of its own, so that two runs at once do not meet.
const env = { ...process.env, TUTORIAL_DOMAIN: `greenhouse-${process.pid}` }

async function main() {
  console.log('Two processes, a client and a server, talk through ipcio. The client starts first.\n')
  const client = start('client')
  await sleep(HEAD_START_MS)
  const server = start('server')

  const limit = setTimeout(() => {
    console.error(`The tutorial should be over by now, after ${TIME_LIMIT_MS / 1000} s: please report this.`)
    client.process.kill('SIGKILL')
    server.process.kill('SIGKILL')
  }, TIME_LIMIT_MS)
  // Without its server the client would wait for ever.
  server.succeeded.then(succeeded => succeeded || client.process.kill())

  const results = [await client.succeeded]
  server.process.kill('SIGTERM')
  results.push(await server.succeeded)
  clearTimeout(limit)

  if (results.includes(false)) process.exitCode = 1
  else console.log('\nRead on in examples/tutorial/client.js and examples/tutorial/server.js.')
}

/** Starts one of the programs, each line that it prints marked with its name. */
function start(name) {
  const child = spawn(process.execPath, [path.join(__dirname, `${name}.js`)], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const mark = inColour(name)
  readline.createInterface({ input: child.stdout }).on('line', line => console.log(`${mark} | ${line}`))
  return { process: child, succeeded: once(child, 'close').then(([code]) => code === 0) }
}

function inColour(name) {
  return process.stdout.isTTY && !process.env.NO_COLOR ? `${COLOURS[name]}${name}${COLOURS.off}` : name
}

main()
