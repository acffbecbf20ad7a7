'use strict'

const { SERVER } = require('../letter')

/** How late a time-out may be, in milliseconds, beside the time in which a process did not get the CPU. */
const LATEST = 1000

/** How long one event loop may be held up by them, in milliseconds. */
const LONGEST_STALL = 100

const timeouts = {
  name: 'timeouts',
  title: 'deliveries time out, at once: with no server, and with a client that does not answer',
  async run(crew, verdict, { timeouts: count }) {
    await crew.startServer({ quiet: true }).started
    const silent = crew.startHost(1, 'asking.js', { name: 'silent' })
    const asking = crew.startHost(2, 'asking.js', { name: 'asking' })
    const witness = crew.startHost(3, 'asking.js', { name: 'witness' })
    await Promise.all([silent, asking, witness].map(member => member.started))
    const look = ({ calls }) => calls.call('vitals')
    // A heap that has grown once is no leak.
    await asking.calls.call('ask', { count: count / 10, to: 'silent', timeout: 500 })
    for (const member of crew.members) await look(member)
    const before = await Promise.all(crew.members.map(look))
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
    for (const member of [crew.members[SERVER], asking]) {
      const { stalls } = await look(member)
      verdict.stalls(stalls, { of: member.name, limit: LONGEST_STALL })
    }
    verdict.figures.witness = Math.round(worst)
    for (const [at, member] of crew.members.entries()) {
      await verdict.goesBack(before[at], () => look(member), member.name)
    }
    await crew.close()
    verdict.figures.sent = count
  },
}

module.exports = timeouts
