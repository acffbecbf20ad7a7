'use strict'

/** A domain has one server at a time. */

const assert = require('node:assert/strict')
const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const test = require('node:test')
const { Worker } = require('node:worker_threads')
const { FIXTURES } = require('./support/child.js')
const { until, within } = require('./support/deadline.js')
const { Domain } = require('./support/domain.js')

/** How often the two servers of the first test start. */
const ROUNDS = Number(process.env.IPCIO_ROUNDS ?? 500)

const MINUTES = 60_000

test('a server that starts while another one closes does so, or learns that the domain is in use', async t => {
  const domain = new Domain(t)
  const running = new Int32Array(new SharedArrayBuffer(4))
  const workerData = { domain: domain.name, rounds: ROUNDS, running }
  const workers = [1, 2].map(
    () => new Worker(path.join(FIXTURES, 'restarting-worker.js'), { workerData, stderr: false }),
  )
  const results = workers.map(worker => within(once(worker, 'message'), 'a worker', 5 * MINUTES))
  let started = 0
  for (const [{ outcomes, longest, mostAtOnce }] of await Promise.all(results)) {
    t.diagnostic(`${JSON.stringify(outcomes)}, the longest start() took ${longest.toFixed(1)} ms`)
    assert.deepEqual(
      Object.keys(outcomes).filter(code => !['started', 'EADDRINUSE'].includes(code)),
      [],
    )
    assert.ok(mostAtOnce <= 1)
    started += outcomes.started ?? 0
  }
  assert.ok(started > 0)
  await Promise.all(workers.map(worker => worker.terminate()))
})

test('a server holds its lock, in a folder that is closed to others, until it is closed', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const [lock, ...others] = domain.locks()
  assert.deepEqual([path.basename(lock), others], [`IPC.io.${domain.name}.lock`, []])
  const folder = fs.statSync(path.dirname(lock))
  assert.deepEqual([folder.mode & 0o777, folder.uid], [0o700, process.getuid()])
  await server.close()
  assert.deepEqual(domain.locks(), [])
})

test('the lock of a killed server is taken over', async t => {
  const domain = new Domain(t)
  const child = domain.spawn('logging-server.js')
  await child.report('listening')
  await child.kill()
  assert.equal(domain.locks().length, 1)
  const server = domain.server({ echo: ({ data }) => data })
  assert.equal(await (await domain.client('alice')).deliver('echo', 1), 1)
  assert.equal(server.isStarted(), true)
})

const hasFlock = spawnSync('flock', ['--version']).status === 0
const withFlock = hasFlock ? test : (name, _) => test(name, { skip: 'there is no flock here' }, () => {})

/** A process that holds a lock. */
async function holder(domain, file) {
  const process = spawn('flock', [file, '-c', 'echo held; exec sleep 1000'], { detached: true })
  domain.defer(async () => {
    globalThis.process.kill(-process.pid, 'SIGKILL')
    await once(process, 'close')
    fs.rmSync(file, { force: true })
  })
  await within(once(process.stdout, 'data'), 'the lock to be held')
}

withFlock('a process that holds the lock of 1.0.0 blocks no server', async t => {
  const domain = new Domain(t)
  await holder(domain, `/tmp/.IPC.io.${domain.name}.lock`)
  domain.server({ echo: ({ data }) => data })
  assert.equal(await (await domain.client('alice')).deliver('echo', 1), 1)
})

withFlock('a server that cannot have its lock says which one', async t => {
  const domain = new Domain(t)
  const server = domain.server()
  const [lock] = domain.locks()
  await server.close()
  await until(() => !fs.existsSync(lock), 'the lock is gone')
  fs.mkdirSync(path.dirname(lock), { recursive: true, mode: 0o700 })
  await holder(domain, lock)
  assert.throws(
    () => server.start(),
    error => error.code === 'EADDRINUSE' && error.message.includes(lock),
  )
  assert.equal(server.isStarted(), false)
})
