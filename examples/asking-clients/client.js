'use strict'

/** A sensor, which answers what the greenhouse of `server.js` asks. Run `node client.js NAME`. */

const { Client } = require('ipcio')

const client = new Client(
  { domain: process.env.EXAMPLE_DOMAIN ?? 'greenhouse', name: process.argv[2] ?? 'sensor' },
  {
    read({ data, command }) {
      console.log(`${command} in ${data.unit}`)
      return 21
    },
    calibrate() {
      throw Object.assign(new Error('This sensor has a fault'), { code: 'E_FAULT' })
    },
  },
)

client.connect()

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => client.close())
