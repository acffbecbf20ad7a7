'use strict'

/** What the system says of a process: descriptors and memory. Nothing where there is no /proc. */

const fs = require('node:fs')

const MEBIBYTE = 2 ** 20

/** How many descriptors a process has open; undefined where the system does not tell. */
function descriptors(pid) {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return undefined
  }
}

/** Resident memory of a process, in MiB; undefined where the system does not tell. */
function resident(pid) {
  try {
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))
    return Number(kilobytes) / 1024
  } catch {
    return undefined
  }
}

/** This process's memory without V8's heap, in MiB, after a collection where it has been allowed. */
function ownMemory() {
  global.gc?.()
  const { rss, heapTotal } = process.memoryUsage()
  return (rss - heapTotal) / MEBIBYTE
}

/** Node opens a descriptor for all that watch files when the first one does, and keeps it: from now on it is there. */
function openWatching() {
  fs.watch('/tmp', { persistent: false }).close()
}

module.exports = { descriptors, resident, ownMemory, openWatching }
