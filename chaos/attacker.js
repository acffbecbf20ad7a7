'use strict'

/** The process of the hostile peers. */

const { Calls } = require('./calls')
const { attacks } = require('./hostile/attacks')
const { Random } = require('./random')

const { domain, seed } = JSON.parse(process.argv[2])
const random = new Random(seed)

const controller = new Calls(process, {
  up: () => true,
  attack: ({ name, scale }) => attacks[name]({ path: `/tmp/IPC.io.${domain}`, scale, random, broadcast }),
  vitals: () => ({ stalls: [] }),
  close: () => {},
  exit: () => setImmediate(() => process.exit(0)),
})

function broadcast(count, size) {
  return controller.call('broadcast', { count, size })
}
