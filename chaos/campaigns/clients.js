'use strict'

const { Conversation } = require('../conversation')

const clients = {
  name: 'clients',
  title: 'clients are killed and started anew under their names',
  async run(crew, verdict, { clients: count, messages, perDelivery, kills: times }) {
    await crew.startServer().started
    await crew.startClients(count)
    const share = Math.ceil(messages / count)
    const conversation = await Conversation.begin(crew, { messages: share, perDelivery })
    const moments = Array.from({ length: times }, () => crew.random.fraction()).sort()
    for (const [at, moment] of moments.entries()) {
      await conversation.reaches(moment * messages)
      // The first one lives, and with it what it has waited for since the beginning.
      const index = crew.random.between(2, count + 1)
      await crew.kill(index)
      const client = crew.startClient(index)
      const rest = Math.ceil(share * Math.max(0.1, 1 - at / times))
      conversation.run(client, { messages: rest, perDelivery })
    }
    await conversation.end(verdict)
    await crew.close()
    verdict.messages(crew, {
      allowedRewinds: times,
      // Of those who were killed.
      excused: ['ERR_IPC_CLIENT_LEFT', 'ERR_IPC_NO_SUCH_CLIENT'],
    })
    verdict.figures.killed = times
  },
}

module.exports = clients
