'use strict'

const { SERVER } = require('../payload')

const AT_ONCE = 20

const connects = {
  name: 'connects',
  title: 'clients connect, say something, and close',
  async run(processes, verdict, { connects: count }) {
    await processes.startServer({ quiet: true }).started
    const hosts = [1, 2].map(index =>
      processes.startHost(index, 'coming.js', { seed: processes.random.seed() }),
    )
    await Promise.all(hosts.map(host => host.started))
    const each = amount => hosts.map(({ calls }) => calls.call('come', { count: amount, atOnce: AT_ONCE }))
    await Promise.all(each(100))
    const look = ({ calls }) => calls.call('vitals')
    const before = await Promise.all(processes.members.map(look))
    const reports = await Promise.all(each(Math.ceil(count / hosts.length)))
    for (const { open, faults } of reports) {
      verdict.unsettled(open)
      verdict.faults.push(...faults.slice(0, 5))
    }
    for (const [at, member] of processes.members.entries()) {
      await verdict.goesBack(before[at], () => look(member), member.name)
    }
    verdict.stalls((await look(processes.members[SERVER])).stalls, { of: 'the server' })
    await processes.close()
    verdict.messages(processes)
    verdict.figures.connected = count
  },
}

module.exports = connects
