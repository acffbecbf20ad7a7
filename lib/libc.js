'use strict'

/** Which C library the running program uses. */

const fs = require('node:fs')

/** Numbers of the ELF format for 64 bits, little-endian: no other Linux has a package with a binary. */
const MAGIC = 0x464c457f
const CLASS_64 = 2
const LITTLE_ENDIAN = 1
const INTERPRETER = 3
const HEADER = 64

/**
 * True on Alpine and similar systems. It reads the name of the dynamic loader from the running executable. This takes 0.1
 * ms, and `process.report` takes 15 ms. Files under /lib would not tell on systems that have both C libraries.
 */
function usesMusl() {
  const interpreter = interpreterOf(process.execPath)
  return interpreter === null ? reportsMusl() : /\bld-musl-/.test(interpreter)
}

/**
 * The dynamic loader that an executable names, or null if it can't be read or names none. The program headers say
 * where the name is in the file: it can be anywhere if a tool has changed the file.
 */
function interpreterOf(file) {
  let descriptor
  try {
    descriptor = fs.openSync(file, 'r')
    const header = read(descriptor, 0, HEADER)
    if (header.readUInt32LE(0) !== MAGIC || header[4] !== CLASS_64 || header[5] !== LITTLE_ENDIAN) return null
    const size = header.readUInt16LE(54)
    const count = header.readUInt16LE(56)
    const programs = read(descriptor, Number(header.readBigUInt64LE(32)), size * count)
    for (let at = 0; at < programs.length; at += size) {
      if (programs.readUInt32LE(at) !== INTERPRETER) continue
      const offset = Number(programs.readBigUInt64LE(at + 8))
      const length = Number(programs.readBigUInt64LE(at + 32))
      return read(descriptor, offset, length).toString('latin1').replace(/\0.*$/s, '')
    }
    return null
  } catch {
    return null
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor)
  }
}

module.exports = { usesMusl, interpreterOf }

function read(descriptor, position, length) {
  const buffer = Buffer.alloc(length)
  if (fs.readSync(descriptor, buffer, 0, length, position) < length) throw new Error('The file ends early.')
  return buffer
}

/**
 * For processes that may not read their executable, as under `--permission`. The report is slow. Deno refuses it too,
 * but says what it was built for.
 */
function reportsMusl() {
  if (globalThis.Deno) return globalThis.Deno.build.env === 'musl'
  const { report } = process
  if (typeof report?.getReport !== 'function') return false
  const { excludeNetwork } = report
  report.excludeNetwork = true
  const { header } = report.getReport()
  report.excludeNetwork = excludeNetwork
  return !header.glibcVersionRuntime
}
