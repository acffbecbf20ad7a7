'use strict'

const { Conversation } = require('../conversation')

const clients = {
  name: 'clients',
  title: 'clients are killed and started anew under their names',
  async run(processes, verdict, { clients: count, messages, perDelivery, kills: times }) {
    await processes.startServer().started
    await processes.startClients(count)
    const share = Math.ceil(messages / count)
    const conversation = await Conversation.begin(processes, { messages: share, perDelivery })
    const moments = Array.from({ length: times }, () => processes.random.fraction()).sort()
    for (const [at, moment] of moments.entries()) {
      await conversation.reaches(moment * messages)
      // The first client is never killed, so that one client keeps its state from the beginning.
      const index = processes.random.between(2, count + 1)
      await processes.kill(index)
      const client = processes.startClient(index)
      const rest = Math.ceil(share * Math.max(0.1, 1 - at / times))
      conversation.run(client, { messages: rest, perDelivery })
    }
    await conversation.end(verdict)
    await processes.close()
    verdict.messages(processes, {
      allowedRewinds: times,
      // Of the killed clients.
      excused: ['ERR_IPC_CLIENT_LEFT', 'ERR_IPC_NO_SUCH_CLIENT'],
    })
    verdict.figures.killed = times
  },
}

module.exports = clients
