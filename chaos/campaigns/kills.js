'use strict'

const { Conversation } = require('../conversation')
const { later } = require('../crew')
const { SERVER } = require('../letter')

/** So many of a hundred servers are killed soon after they were started. */
const EARLY = 30

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
      }
    }
    await crew.server.started
    await conversation.end(verdict)
    await crew.close()
    // A client that is not back yet is not there for whoever asks the new server for it.
    verdict.messages(crew, { allowedRewinds: times, excused: ['ERR_IPC_NO_SUCH_CLIENT'] })
    verdict.figures.killed = crew.kills.length
  },
}

async function restart(crew) {
  await crew.kill(SERVER)
  crew.startServer()
}

module.exports = kills
