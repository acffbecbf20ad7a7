'use strict'

const native = require('./binding.js')
const { describe } = require('./describe.js')
const { invalidArgument } = require('./errors.js')

const MEBIBYTE = 1024 * 1024

/** What an instance has where its options say nothing. Times are in milliseconds, sizes in bytes. */
const DEFAULTS = {
  verbose: false,
  domain: 'default',
  encoding: 'utf8',
  mode: 0o600,
  allowUsers: [],
  maxMessageSize: 256 * MEBIBYTE,
  maxClients: 65_536,
  handshakeTimeout: 10_000,
  slowConsumerLimit: 512 * MEBIBYTE,
  unfinishedLimit: 512 * MEBIBYTE,
  maxDeliveries: 262_144,
  queueLimit: 512 * MEBIBYTE,
  awayLimit: 512 * MEBIBYTE,
  resumeTimeout: 60_000,
  closeTimeout: 5_000,
  busyPoll: 50,
}

const NUMBERS = [
  'maxMessageSize',
  'maxClients',
  'handshakeTimeout',
  'slowConsumerLimit',
  'unfinishedLimit',
  'maxDeliveries',
  'queueLimit',
  'awayLimit',
  'resumeTimeout',
  'closeTimeout',
  'busyPoll',
]

/** Nothing would work with less. */
const AT_LEAST_ONE = ['maxMessageSize', 'maxClients', 'maxDeliveries', 'queueLimit', 'handshakeTimeout']

/** What a frame and, as JSON, a handshake have room for, in bytes. */
const LONGEST_NAME = 65_535

/** The options of a Server or Client, checked, in the form that the native side takes. */
function nativeOptions(given) {
  if (given !== undefined && given !== null && typeof given !== 'object') {
    throw invalidArgument(`The options must be an object, not ${describe(given)}.`)
  }
  const options = { ...DEFAULTS }
  for (const [key, value] of Object.entries(given ?? {})) {
    if (value !== undefined && value !== null) options[key] = value
  }
  for (const key of NUMBERS) checkNumber(key, options[key])
  for (const key of AT_LEAST_ONE) checkAtLeastOne(key, options[key])
  checkText('domain', options.domain)
  if (options.name !== undefined) checkText('name', options.name)
  checkLength(options.name ?? '')
  if (options.name === '') throw invalidArgument('The name must not be empty; omit it to get a random name.')
  if (!Buffer.isEncoding(options.encoding)) {
    throw invalidArgument(
      `The encoding ${describe(options.encoding)} is unknown; use one that Node.js knows, such as 'utf8'.`,
    )
  }
  if (!Number.isInteger(options.mode) || options.mode < 0 || options.mode > 0o777) {
    throw invalidArgument(`mode must be a file mode from 0 to 0o777, not ${describe(options.mode)}.`)
  }
  const { allowUsers } = options
  const anyUser = allowUsers === 'any'
  if (!anyUser && !(Array.isArray(allowUsers) && allowUsers.every(Number.isInteger))) {
    throw invalidArgument(
      `allowUsers must be an array of user ids (numbers) or 'any', not ${describe(allowUsers)}.`,
    )
  }
  return {
    ...options,
    name: options.name,
    verbose: Boolean(options.verbose),
    onLoop: usesLoop(options.driver),
    allowAnyUser: anyUser,
    allowUsers: anyUser ? [] : allowUsers,
  }
}

/**
 * Whether the loop driver is used. It calls functions of libuv, which Bun lacks (its stand-ins abort when
 * called), Deno in part, and Electron has in a loop of its own.
 */
function usesLoop(option) {
  const driver = option ?? (process.env.IPCIO_DRIVER || 'loop')
  if (driver !== 'loop' && driver !== 'thread') {
    throw invalidArgument(`The driver must be 'loop' or 'thread', not ${describe(driver)}.`)
  }
  const { bun, deno, electron } = process.versions
  return driver === 'loop' && !bun && !deno && !electron && native.hasLoop()
}

function checkNumber(key, value) {
  if (typeof value !== 'number' || !(value >= 0)) {
    throw invalidArgument(`${key} must be a number, 0 or more, not ${describe(value)}.`)
  }
}

function checkAtLeastOne(key, value) {
  if (value < 1) throw invalidArgument(`${key} must be 1 or more, not ${value}.`)
}

function checkText(key, value) {
  if (typeof value !== 'string') {
    throw invalidArgument(`The ${key} must be a string, not ${describe(value)}.`)
  }
}

function checkLength(name) {
  // Quotes and control characters take more as JSON.
  const bytes = Buffer.byteLength(JSON.stringify(name)) - 2
  if (bytes > LONGEST_NAME) {
    throw invalidArgument(
      `The name has ${bytes} bytes as JSON; use at most ${LONGEST_NAME}, or omit it to get a random name.`,
    )
  }
}

module.exports = { nativeOptions }
