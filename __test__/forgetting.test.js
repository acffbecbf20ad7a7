'use strict'

/** Messages whose promises are not awaited arrive, and cause no unhandled rejection. */

const assert = require('node:assert/strict')
const test = require('node:test')
const { Domain } = require('./support/domain.js')
const { Inbox } = require('./support/inbox.js')

const WAYS = [
  'close()',
  'send after close()',
  'process.exit()',
  'process.exit() in an exit listener',
  'an early exit listener',
  'an uncaught exception',
  'process.exit() in a handler',
  'process.exit() in a worker',
]

for (const way of WAYS) {
  test(`what was sent arrives, though its process ends at once: ${way}`, async t => {
    const domain = new Domain(t)
    const inbox = new Inbox()
    domain.server({ word: inbox.takeData })
    const child = domain.spawn('forgetting.js', [way])
    const { code } = await child.end()
    if (way !== 'an uncaught exception') {
      assert.equal(code, 0, child.stderr)
      assert.equal(child.stderr, '')
    }
    await inbox.first(3)
    assert.deepEqual(inbox.all, [1, 2, 3])
  })
}
