'use strict'

/**
 * Encodes an error that a handler threw, and decodes it for the sender of the delivery. A handler may throw anything,
 * so reading any part of it may throw too. Then only that part is lost.
 */

const { types } = require('node:util')

/** The longest message and the longest other text that are sent, in UTF-16 code units. */
const LONGEST_MESSAGE = 65_536
const LONGEST_TEXT = 4_096

/** The longest chain of errors by `cause`, and the most errors in `errors`. */
const DEEPEST = 3
const MOST = 16

/** The properties that are sent besides name, message, cause and errors. Others may hold secrets. */
const TEXTS = ['syscall', 'path']
const NUMBERS = ['errno', 'status', 'statusCode']

/** The payload of a failure. It never throws. */
function describeFailure(error) {
  return { remote: true, ...describeError(error, DEEPEST) }
}

/** The error for the payload of a failure, which comes from a handler or from the server. */
function remoteError(failure) {
  const error = errorOf(failure)
  error.code ??= 'ERR_IPC_HANDLER_THREW'
  if (failure?.remote) error.remote = true
  return error
}

/** Whether a value is an error, of this realm or another. */
function isError(value) {
  try {
    return types.isNativeError(value) || value instanceof Error
  } catch {
    return false
  }
}

/** Describes a value that was thrown. */
function describeThrown(value) {
  try {
    return String(value)
  } catch {
    return 'The handler threw something that has no text.'
  }
}

module.exports = { describeFailure, describeThrown, isError, remoteError }

function describeError(error, depth) {
  const isObject = typeof error === 'object' && error !== null
  const described = {
    name: (isObject && text(read(error, 'name'), LONGEST_TEXT)) || 'Error',
    message: (isObject ? text(read(error, 'message'), LONGEST_MESSAGE) : undefined) ?? thrownText(error),
    code: null,
  }
  if (!isObject) return described
  const code = read(error, 'code')
  described.code = text(code, LONGEST_TEXT) || number(code) || null
  for (const key of TEXTS) described[key] = text(read(error, key), LONGEST_TEXT)
  for (const key of NUMBERS) described[key] = number(read(error, key))
  if (depth > 0) {
    const cause = read(error, 'cause')
    if (cause !== undefined && cause !== null) described.cause = describeError(cause, depth - 1)
    const errors = list(read(error, 'errors'))
    if (errors) described.errors = errors.map(each => describeError(each, depth - 1))
  }
  return described
}

/** The failure is checked too: its sender may be a program other than ipcio. */
function errorOf(failure) {
  const { name, message, code, cause, errors } = failure ?? {}
  const options = typeof cause === 'object' && cause !== null ? { cause: errorOf(cause) } : undefined
  const error = new Error(typeof message === 'string' ? message : '', options)
  // As own properties that are not enumerable, like those of an error class.
  hide(error, 'name', typeof name === 'string' ? name : 'Error')
  if (Array.isArray(errors)) hide(error, 'errors', errors.map(errorOf))
  if (typeof code === 'string' || typeof code === 'number') error.code = code
  for (const key of TEXTS) if (typeof failure?.[key] === 'string') error[key] = failure[key]
  for (const key of NUMBERS) if (typeof failure?.[key] === 'number') error[key] = failure[key]
  return error
}

function hide(object, key, value) {
  Object.defineProperty(object, key, { value, configurable: true, writable: true })
}

function read(object, key) {
  try {
    return object[key]
  } catch {
    return undefined
  }
}

function text(value, longest) {
  if (typeof value !== 'string') return undefined
  return value.length > longest ? `${value.slice(0, longest)}…` : value
}

function number(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/** The first elements of an array. */
function list(value) {
  try {
    return Array.isArray(value)
      ? Array.from({ length: Math.min(value.length, MOST) }, (_, i) => value[i])
      : undefined
  } catch {
    return undefined
  }
}

function thrownText(value) {
  return text(describeThrown(value), LONGEST_MESSAGE)
}
