'use strict'

/** An error with a code and one sentence that says what to do. */
function ipcError(code, message, cause) {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code })
}

/** The error for `CODE message`, the form in which the native side reports one. */
function errorFrom(text) {
  const space = text.indexOf(' ')
  return ipcError(text.slice(0, space), text.slice(space + 1))
}

/** Calls the native side, and throws its errors with their codes. */
function refusable(call) {
  try {
    return call()
  } catch (error) {
    throw /^[A-Z_]+ /.test(error.message) ? errorFrom(error.message) : error
  }
}

function invalidArgument(message) {
  return ipcError('ERR_IPC_INVALID_ARGUMENT', message)
}

function closedError() {
  return ipcError('ERR_IPC_CLOSED', 'The client is closed; call connect(), and then repeat this call.')
}

module.exports = { closedError, errorFrom, invalidArgument, ipcError, refusable }
