'use strict'

const { SERVER } = require('../payload')

/** How late a timeout may be, in milliseconds, besides the time in which the process had no CPU. */
const LATEST = 1000

/** How long the timeouts may block an event loop, in milliseconds. */
const LONGEST_STALL = 100

const timeouts = {
  name: 'timeouts',
  title: 'deliveries time out, at once: with no server, and with a client that does not answer',
  async run(processes, verdict, { timeouts: count }) {
    await processes.startServer({ quiet: true }).started
    const silent = processes.startHost(1, 'asking.js', { name: 'silent' })
    const asking = processes.startHost(2, 'asking.js', { name: 'asking' })
    const witness = processes.startHost(3, 'asking.js', { name: 'witness' })
    await Promise.all([silent, asking, witness].map(member => member.started))
    const look = ({ calls }) => calls.call('vitals')
    // The heap grows once, which is no leak.
    await asking.calls.call('ask', { count: count / 10, to: 'silent', timeout: 500 })
    for (const member of processes.members) await look(member)
    const before = await Promise.all(processes.members.map(look))
    const watched = witness.calls.call('watch')
    const reports = [await asking.calls.call('ask', { count: count / 2, to: 'silent', timeout: 1000 })]
    const { worst } = await witness.calls.call('rest')
    await watched
    reports.push(await asking.calls.call('askNobody', { count: count / 2, timeout: 500 }))
    for (const { open, early, latest, codes } of reports) {
      verdict.unsettled(open)
      if (early > 0) verdict.fault(`${early} were too early`)
      if (latest > LATEST) verdict.fault(`one was ${Math.round(latest)} ms late`)
      for (const [code, times] of Object.entries(codes)) {
        if (code !== 'ERR_IPC_TIMEOUT') verdict.fault(`${times} ended with ${code}`)
      }
    }
    for (const member of [processes.members[SERVER], asking]) {
      const { stalls } = await look(member)
      verdict.stalls(stalls, { of: member.name, limit: LONGEST_STALL })
    }
    verdict.figures.witness = Math.round(worst)
    for (const [at, member] of processes.members.entries()) {
      await verdict.goesBack(before[at], () => look(member), member.name)
    }
    await processes.close()
    verdict.figures.sent = count
  },
}

module.exports = timeouts
