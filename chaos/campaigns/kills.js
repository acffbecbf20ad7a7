'use strict'

const { Conversation } = require('../conversation')
const { later } = require('../processes')
const { SERVER } = require('../payload')

/** The percentage of servers that are killed soon after they were started. */
const EARLY = 30

/** The percentage of the others that are killed again while one client is away. */
const AWAY = 30

const kills = {
  name: 'kills',
  title: 'the server is killed at any moment, also while clients are on their way back to it',
  async run(processes, verdict, { clients, messages, perDelivery, kills: times }) {
    await processes.startServer().started
    await processes.startClients(clients)
    const conversation = await Conversation.begin(processes, {
      messages: Math.ceil(messages / clients),
      perDelivery,
    })
    const moments = Array.from({ length: times }, () => processes.random.fraction()).sort()
    while (moments.length > 0) {
      await conversation.reaches(moments.shift() * messages)
      await later(processes.random.between(0, 30))
      await restart(processes)
      if (moments.length > 0 && processes.random.percent(EARLY)) {
        moments.shift()
        await later(processes.random.between(0, 250))
        await restart(processes)
      } else if (moments.length > 0 && processes.random.percent(AWAY)) {
        moments.shift()
        await restartWithout(processes, processes.random.pick(processes.clients))
      }
    }
    await processes.server.started
    await conversation.end(verdict)
    await processes.close()
    // A client that is not back yet is unknown to the new server.
    verdict.messages(processes, {
      allowedRewinds: processes.kills.length,
      excused: ['ERR_IPC_NO_SUCH_CLIENT'],
    })
    verdict.figures.killed = processes.kills.length
  },
}

async function restart(processes) {
  await processes.kill(SERVER)
  processes.startServer()
}

/** One client is stopped while servers are replaced, and the others send to it meanwhile. */
async function restartWithout(processes, client) {
  await processes.server.started
  const goOn = processes.stop(client)
  await restart(processes)
  await processes.server.started
  await later(processes.random.between(0, 400))
  await restart(processes)
  await later(processes.random.between(0, 400))
  goOn()
}

module.exports = kills
