'use strict'

/** The descriptors and the memory of a process, if there is /proc. */

const { once } = require('node:events')
const fs = require('node:fs')
const { Client } = require('..')

const MEBIBYTE = 2 ** 20

/** How many descriptors a process has open; undefined without /proc. */
function descriptors(pid) {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return undefined
  }
}

/** Resident memory of a process, in MiB; undefined without /proc. */
function resident(pid) {
  try {
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
    return Number(kilobytes) / 1024
  } catch {
    return undefined
  }
}

/** This process's memory without V8's heap, in MiB, after a garbage collection if that is exposed. */
function ownMemory() {
  global.gc?.()
  const { rss, heapTotal } = process.memoryUsage()
  return (rss - heapTotal) / MEBIBYTE
}

/**
 * Makes a client wait for a server that does not exist. A process opens a descriptor for notices of files when a client
 * waits for the first time, and keeps it: this opens it before descriptors are counted.
 */
async function openWatching() {
  const client = new Client({ domain: `chaos-no-server-${process.pid}` })
  client.connect().catch(() => {})
  await once(client, 'waiting')
  await client.close()
}

module.exports = { descriptors, resident, ownMemory, openWatching }
