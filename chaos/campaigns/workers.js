'use strict'

const { until } = require('../processes')
const { SERVER } = require('../payload')

/** The number of concurrent worker threads. Each is a client with its own name. */
const AT_ONCE = 8

const workers = {
  name: 'workers',
  title: 'worker threads with a client each are terminated at random moments',
  async run(processes, verdict, { workers: count }) {
    await processes.startServer({ quiet: true }).started
    processes.count = 1
    const host = processes.startHost(1, 'host.js', { seed: processes.random.seed() })
    await host.started
    // The first workers open what the threads of a process share.
    await host.calls.call('terminate', {
      count: AT_ONCE * 2,
      atOnce: AT_ONCE,
      folder: processes.folder,
      from: 0,
    })
    const before = await look(host)
    const serverBefore = await look(processes.server)
    const done = host.calls.call('terminate', {
      count,
      atOnce: AT_ONCE,
      folder: processes.folder,
      from: AT_ONCE * 2,
    })
    const report = await done
    verdict.unsettled(report.open)
    verdict.faults.push(...report.faults)
    for (let worker = 0; worker < count + AT_ONCE * 2; worker++) {
      processes.journals[2] ??= []
      processes.journals[2][worker] = `${processes.folder}/worker.${worker}`
    }
    await verdict.goesBack(before, () => look(host), 'the process of the workers')
    await verdict.goesBack(serverBefore, () => look(processes.server), 'the server')
    verdict.stalls((await processes.server.calls.call('vitals')).stalls, { of: 'the server' })
    await until(async () => (await processes.members[SERVER].calls.call('state')).received > 0, 1000)
    await processes.close()
    verdict.messages(processes)
    verdict.figures.terminated = count
  },
}

function look({ calls }) {
  return calls.call('vitals')
}

module.exports = workers
