'use strict'

// Milliseconds on the clock that all processes of a machine share.
const now = () => Number(process.hrtime.bigint()) / 1e6

const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

const nextTurn = () => new Promise(resolve => setImmediate(resolve))

module.exports = { now, pause, nextTurn }
