'use strict'

const { Client } = require('./lib/client.js')
const { Server } = require('./lib/server.js')

module.exports = { Client, Server }
