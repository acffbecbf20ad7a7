'use strict'

/** Processes that share only /tmp, like containers with a common volume. Creating them requires root. */

const assert = require('node:assert/strict')
const { spawnSync } = require('node:child_process')
const path = require('node:path')
const test = require('node:test')
const { eventOf } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

const PID_NAMESPACE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']

/** Root in a user namespace that knows no other user. Outside, it is a separate user. */
const USER_NAMESPACE = [
  ...['setpriv', '--reuid', '65533', '--regid', '65533', '--clear-groups'],
  ...['unshare', '--user', '--map-root-user'],
]

/** The number of all users that have none in a namespace, unless the system says otherwise. */
const OVERFLOW = 65534

const where = command => {
  const works = spawnSync(command[0], [...command.slice(1), 'true']).status === 0
  return works ? test : (name, _) => test(name, { skip: `${command.join(' ')} does not work here` }, () => {})
}

where(PID_NAMESPACE)('a client of another PID namespace is served', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const connected = eventOf(server, 'connection')
  const child = domain.spawn('client.js', ['bob'], { through: PID_NAMESPACE })
  await child.report('connected')
  assert.equal((await connected).name, 'bob')
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('bob', 'echo', 'served'), 'served')
})

where(PID_NAMESPACE)('a server of another PID namespace serves', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('trusting-server.js', [], { through: PID_NAMESPACE })
  await child.report('listening')
  const alice = await domain.client('alice')
  assert.equal(await alice.deliver('who'), 0)
  const bob = domain.spawn('client.js', ['bob'], { through: PID_NAMESPACE })
  await bob.report('connected')
  assert.equal(await alice.deliver('bob', 'echo', 'served'), 'served')
})

where(USER_NAMESPACE)(
  'a server whose user has no number here is not trusted under that of all such users',
  async t => {
    const domain = new Domain(t)
    domain.server({}, { mode: 0o666, allowUsers: 'any' })
    const options = JSON.stringify({ allowUsers: [OVERFLOW] })
    const child = domain.spawn('client.js', ['bob', options], { through: USER_NAMESPACE })
    const { code, message } = await child.report('refused')
    assert.equal(code, 'ERR_IPC_NOT_TRUSTED')
    assert.match(message, /user namespace/)
  },
)

where(USER_NAMESPACE)(
  'a client whose user has no number here is not served under that of all such users',
  async t => {
    const domain = new Domain(t)
    const options = JSON.stringify({ allowUsers: [OVERFLOW] })
    const child = domain.spawn('trusting-server.js', [options], { through: USER_NAMESPACE })
    await child.report('listening')
    const raw = domain.spawn('raw-client.js', ['mallory'])
    assert.doesNotMatch((await raw.report('ended')).text, /handshake/)
  },
)

where(USER_NAMESPACE)('a user without a number here is accepted if any user is', async t => {
  const domain = new Domain(t)
  domain.server({}, { mode: 0o666, allowUsers: 'any' })
  const options = JSON.stringify({ allowUsers: 'any' })
  const child = domain.spawn('client.js', ['bob', options], { through: USER_NAMESPACE })
  await child.report('connected')
})

const ROOT = path.join(__dirname, '..')

/** A system whose /tmp is another. This folder may lie in the one that it hides, so it is found under /mnt as well. */
const tmpfs = options => [
  ...['unshare', '--mount', 'sh', '-c'],
  `mount --bind '${ROOT}' /mnt && mount -t tmpfs -o ${options} none /tmp || exit 1
   for word; do
     shift
     case $word in '${ROOT}'/*) word=/mnt\${word#'${ROOT}'} ;; esac
     set -- "$@" "$word"
   done
   exec "$@"`,
  'sh',
]

for (const [options, code] of [
  ['ro', 'EROFS'],
  ['nr_inodes=1', 'ENOSPC'],
]) {
  where(tmpfs(options))(`where /tmp is mounted with ${options}, start() throws ${code}`, async t => {
    const domain = new Domain(t)
    const child = domain.spawn('trusting-server.js', [], { through: tmpfs(options) })
    assert.equal(await child.report('failed'), code)
  })
}
