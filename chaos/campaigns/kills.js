'use strict'

const { Conversation } = require('../conversation')
const { later } = require('../crew')
const { SERVER } = require('../letter')

/** So many of a hundred servers are killed soon after they were started. */
const EARLY = 30

/** So many of the others are killed again while one client is away. */
const AWAY = 30

const kills = {
  name: 'kills',
  title: 'the server is killed at any moment, also while clients are on their way back to it',
  async run(crew, verdict, { clients, messages, perDelivery, kills: times }) {
    await crew.startServer().started
    await crew.startClients(clients)
    const conversation = await Conversation.begin(crew, {
      messages: Math.ceil(messages / clients),
      perDelivery,
    })
    const moments = Array.from({ length: times }, () => crew.random.fraction()).sort()
    while (moments.length > 0) {
      await conversation.reaches(moments.shift() * messages)
      await later(crew.random.between(0, 30))
      await restart(crew)
      if (moments.length > 0 && crew.random.percent(EARLY)) {
        moments.shift()
        await later(crew.random.between(0, 250))
        await restart(crew)
      } else if (moments.length > 0 && crew.random.percent(AWAY)) {
        moments.shift()
        await restartWithout(crew, crew.random.pick(crew.clients))
      }
    }
    await crew.server.started
    await conversation.end(verdict)
    await crew.close()
    // A client that is not back yet is not there for whoever asks the new server for it.
    verdict.messages(crew, { allowedRewinds: crew.kills.length, excused: ['ERR_IPC_NO_SUCH_CLIENT'] })
    verdict.figures.killed = crew.kills.length
  },
}

async function restart(crew) {
  await crew.kill(SERVER)
  crew.startServer()
}

/** One client is stopped while servers come and go: the others send to it meanwhile. */
async function restartWithout(crew, client) {
  await crew.server.started
  const goOn = crew.stop(client)
  await restart(crew)
  await crew.server.started
  await later(crew.random.between(0, 400))
  await restart(crew)
  await later(crew.random.between(0, 400))
  goOn()
}

module.exports = kills
