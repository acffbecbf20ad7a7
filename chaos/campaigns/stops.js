'use strict'

const { Conversation } = require('../conversation')
const { later } = require('../processes')

const stops = {
  name: 'stops',
  title: 'server and clients are stopped for a while (SIGSTOP, SIGCONT)',
  async run(processes, verdict, { clients, messages, perDelivery, stops: times }) {
    await processes.startServer().started
    await processes.startClients(clients)
    const conversation = await Conversation.begin(processes, {
      messages: Math.ceil(messages / clients),
      perDelivery,
    })
    const moments = Array.from({ length: times }, () => processes.random.fraction()).sort()
    for (const moment of moments) {
      await conversation.reaches(moment * messages)
      const goOn = processes.stop(processes.random.pick(processes.members))
      await later(processes.random.between(10, 400))
      goOn()
    }
    await conversation.end(verdict)
    await processes.close()
    verdict.messages(processes, { exactlyOnce: true })
    verdict.figures.stopped = processes.stops.length
  },
}

module.exports = stops
