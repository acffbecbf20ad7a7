'use strict'

/** The data of a message: who sent it in which of its lives, and its number for each receiver. */

/** The server is the first of all. */
const SERVER = 0

const HEADER = 12

/** For one receiver. `size` adds so much text, or makes it raw bytes where `raw`. */
function letter(sender, life, number, size = 0, raw = false) {
  if (!raw) return { s: sender, l: life, n: number, t: size > 0 ? 'x'.repeat(size) : undefined }
  const bytes = Buffer.alloc(HEADER + size)
  bytes.writeUInt32LE(sender, 0)
  bytes.writeUInt32LE(life, 4)
  bytes.writeUInt32LE(number, 8)
  return bytes
}

/** For all: `numbers` has one at the place of each receiver, or 0. */
function circular(sender, life, numbers) {
  return { s: sender, l: life, v: numbers }
}

/** Who sent it, and the number for `receiver`, which is 0 where it is not meant. */
function read(data, receiver) {
  if (Buffer.isBuffer(data)) {
    return { sender: data.readUInt32LE(0), life: data.readUInt32LE(4), number: data.readUInt32LE(8) }
  }
  return { sender: data.s, life: data.l, number: data.n ?? data.v[receiver] ?? 0 }
}

/** What a delivery is answered with. */
function answerTo(number) {
  return number * 3 + 1
}

function nameOf(index) {
  return `c${index}`
}

function indexOf(name) {
  return Number(name.slice(1))
}

module.exports = { SERVER, letter, circular, read, answerTo, nameOf, indexOf }
