'use strict'

const native = require('./binding.js')
const { domain, maxMode, mode, settings } = require('./constants.js')
const { describe } = require('./describe.js')
const { invalidArgument } = require('./errors.js')

/** The default options. Times are in milliseconds, sizes in bytes. */
const DEFAULTS = {
  verbose: false,
  domain,
  encoding: 'utf8',
  mode,
  allowUsers: [],
  ...Object.fromEntries(settings.map(setting => [setting.name, setting.default])),
}

/** Checks the options of a Server or Client, and returns them in the form that the native side takes. */
function nativeOptions(given) {
  if (given !== undefined && given !== null && typeof given !== 'object') {
    throw invalidArgument(`The options must be an object, not ${describe(given)}.`)
  }
  const options = { ...DEFAULTS }
  for (const [key, value] of Object.entries(given ?? {})) {
    if (value !== undefined && value !== null) options[key] = value
  }
  for (const { name } of settings) checkNumber(name, options[name])
  for (const { name, least } of settings) checkLeast(name, options[name], least)
  checkText('domain', options.domain)
  if (options.name !== undefined) checkText('name', options.name)
  if (!Buffer.isEncoding(options.encoding)) {
    throw invalidArgument(
      `The encoding ${describe(options.encoding)} is unknown; use one that Node.js knows, such as 'utf8'.`,
    )
  }
  if (!Number.isInteger(options.mode) || options.mode < 0 || options.mode > maxMode) {
    const most = `0o${maxMode.toString(8)}`
    throw invalidArgument(`mode must be a file mode from 0 to ${most}, not ${describe(options.mode)}.`)
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
 * Whether the loop driver is used. It calls functions of libuv. Bun does not have them (its substitutes abort when
 * called), Deno has some of them, and Electron runs another event loop.
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

function checkLeast(key, value, least) {
  if (value < least) throw invalidArgument(`${key} must be ${least} or more, not ${value}.`)
}

function checkText(key, value) {
  if (typeof value !== 'string') {
    throw invalidArgument(`The ${key} must be a string, not ${describe(value)}.`)
  }
}

module.exports = { nativeOptions }
