'use strict'

// Every process of a measurement runs this and does what it is told: "file.part" is a function of
// traffic/file.js, called with `here`, which lasts as long as the process, and the options.

const net = require('node:net')

const { Control } = require('./control')
const { byName } = require('./peers')

const here = { peer: byName(process.env.BENCH_PEER), role: process.env.BENCH_ROLE }

process.on('unhandledRejection', reason => {
  process.stderr.write(`${here.peer.name} ${here.role}: ${reason?.stack ?? reason}\n`)
  process.exit(1)
})

const control = new Control(net.connect(process.env.BENCH_CONTROL), {
  async answer(method, options) {
    if (method === 'exit') process.exit(0)
    const [file, part] = method.split('.')
    return require(`./traffic/${file}`).parts[part](here, options)
  },
  onClose: () => process.exit(0),
})
control.hello({ role: here.role, pid: process.pid })
