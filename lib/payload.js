'use strict'

const { types } = require('node:util')
const { describe } = require('./describe.js')
const { ipcError } = require('./errors.js')

/** Whether `data` itself is raw bytes, which are sent unchanged. */
function isBytes(data) {
  return (
    typeof data === 'object' && data !== null && (ArrayBuffer.isView(data) || types.isAnyArrayBuffer(data))
  )
}

/** The bytes of a Buffer, typed array, DataView or ArrayBuffer. Shared memory is copied, as other threads may write to it. */
function toBuffer(data) {
  if (!ArrayBuffer.isView(data)) return isShared(data) ? copyOf(data) : Buffer.from(data)
  if (isShared(data.buffer)) return copyOf(data.buffer, data.byteOffset, data.byteLength)
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

function isShared(memory) {
  return !(memory instanceof ArrayBuffer) && types.isSharedArrayBuffer(memory)
}

function copyOf(memory, start, length) {
  return Buffer.from(new Uint8Array(memory, start, length))
}

/** `data` as JSON text. Values that JSON cannot express, such as `undefined`, become `null`. */
function toText(data) {
  try {
    return JSON.stringify(data) ?? 'null'
  } catch (cause) {
    if (isTooLong(cause)) {
      throw ipcError(
        'ERR_IPC_MESSAGE_TOO_LARGE',
        'As JSON, the data is longer than a JavaScript string can be; send it in parts, or as a Buffer.',
        cause,
      )
    }
    throw ipcError(
      'ERR_IPC_NOT_SERIALIZABLE',
      `The data can't be written as JSON (${firstLine(cause)}); send only what JSON supports.`,
      cause,
    )
  }
}

/** Whether V8 could not make the string. `toJSON()` may throw anything. */
function isTooLong(error) {
  return types.isNativeError(error) && error.name === 'RangeError' && /string length/i.test(error.message)
}

function firstLine(error) {
  const text = types.isNativeError(error) ? error.message : describe(error)
  return String(text).split('\n', 1)[0]
}

module.exports = { isBytes, toBuffer, toText }
