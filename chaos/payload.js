'use strict'

/** The data of a message: its sender, which life of the sender, and its number for each receiver. */

/** The index of the server. */
const SERVER = 0

const HEADER = 12

/** For one receiver. `size` is the length of additional text, or of raw bytes if `raw` is true. */
function payload(sender, life, number, size = 0, raw = false) {
  if (!raw) return { s: sender, l: life, n: number, t: size > 0 ? 'x'.repeat(size) : undefined }
  const bytes = Buffer.alloc(HEADER + size)
  bytes.writeUInt32LE(sender, 0)
  bytes.writeUInt32LE(life, 4)
  bytes.writeUInt32LE(number, 8)
  return bytes
}

/** For all receivers: `numbers` has the number for each, by its index, or 0. */
function broadcastPayload(sender, life, numbers) {
  return { s: sender, l: life, v: numbers }
}

/** The sender, and the number for `receiver`, which is 0 if the message is not for it. */
function read(data, receiver) {
  if (Buffer.isBuffer(data)) {
    return { sender: data.readUInt32LE(0), life: data.readUInt32LE(4), number: data.readUInt32LE(8) }
  }
  return { sender: data.s, life: data.l, number: data.n ?? data.v[receiver] ?? 0 }
}

/** The answer to a delivery. */
function answerTo(number) {
  return number * 3 + 1
}

function nameOf(index) {
  return `c${index}`
}

function indexOf(name) {
  return Number(name.slice(1))
}

module.exports = { SERVER, payload, broadcastPayload, read, answerTo, nameOf, indexOf }
