'use strict'

/** A program that ends in one of several ways. */

const { Client, Server } = require('..')
const { payload } = require('./payload')

/** Its index in the server's journal. */
const INDEX = 1

const { domain, life, way, messages } = JSON.parse(process.argv[2])

main()

async function main() {
  if (way === 'nothing') return process.exit(7)
  if (way === 'server') return serve()
  const client = new Client({ domain, name: `exiting${life}` })
  const connected = client.connect()
  if (way === 'connecting') return process.exit(7)
  await connected
  if (way === 'sent-in-exit') process.on('exit', () => send(client))
  else if (way !== 'connected') send(client)
  if (way === 'uncaught') throw new Error('on purpose')
  process.exit(7)
}

function send(client) {
  for (let number = 1; number <= messages; number++) {
    client.send('note', payload(INDEX, life, number)).catch(() => {})
  }
}

function serve() {
  const server = new Server({ domain: `${domain}-${life}` })
  server.start()
  process.exit(7)
}
