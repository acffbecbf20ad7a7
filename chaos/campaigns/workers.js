'use strict'

const { until } = require('../crew')
const { SERVER } = require('../letter')

/** So many worker threads live at a time, each a client with a name of its own. */
const AT_ONCE = 8

const workers = {
  name: 'workers',
  title: 'worker threads with a client each are terminated at random moments',
  async run(crew, verdict, { workers: count }) {
    await crew.startServer({ quiet: true }).started
    crew.count = 1
    const host = crew.startHost(1, 'host.js', { seed: crew.random.seed() })
    await host.started
    // The first ones open what threads of a process share.
    await host.calls.call('terminate', { count: AT_ONCE * 2, atOnce: AT_ONCE, folder: crew.folder, from: 0 })
    const before = await look(host)
    const serverBefore = await look(crew.server)
    const done = host.calls.call('terminate', {
      count,
      atOnce: AT_ONCE,
      folder: crew.folder,
      from: AT_ONCE * 2,
    })
    const report = await done
    verdict.unsettled(report.open)
    verdict.faults.push(...report.faults)
    for (let worker = 0; worker < count + AT_ONCE * 2; worker++) {
      crew.journals[2] ??= []
      crew.journals[2][worker] = `${crew.folder}/worker.${worker}`
    }
    await verdict.goesBack(before, () => look(host), 'the process of the workers')
    await verdict.goesBack(serverBefore, () => look(crew.server), 'the server')
    verdict.stalls((await crew.server.calls.call('vitals')).stalls, { of: 'the server' })
    await until(async () => (await crew.members[SERVER].calls.call('state')).received > 0, 1000)
    await crew.close()
    verdict.messages(crew)
    verdict.figures.terminated = count
  },
}

function look({ calls }) {
  return calls.call('vitals')
}

module.exports = workers
