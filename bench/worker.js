'use strict'

// Every process of a sample runs this program. A call of "file.part" calls that function of
// workloads/file.js with `here`, which exists as long as the process, and with the options.

const net = require('node:net')

const { Control } = require('./control')
const { byName } = require('./implementations')

const here = { implementation: byName(process.env.BENCH_IMPLEMENTATION), role: process.env.BENCH_ROLE }

process.on('unhandledRejection', reason => {
  process.stderr.write(`${here.implementation.name} ${here.role}: ${reason?.stack ?? reason}\n`)
  process.exit(1)
})

const control = new Control(net.connect(process.env.BENCH_CONTROL), {
  async answer(method, options) {
    if (method === 'exit') process.exit(0)
    const [file, part] = method.split('.')
    return require(`./workloads/${file}`).parts[part](here, options)
  },
  onClose: () => process.exit(0),
})
control.hello({ role: here.role, pid: process.pid })
