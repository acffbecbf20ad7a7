'use strict'

const { Conversation } = require('../conversation')
const { later } = require('../crew')

const stops = {
  name: 'stops',
  title: 'server and clients are stopped for a while (SIGSTOP, SIGCONT)',
  async run(crew, verdict, { clients, messages, perDelivery, stops: times }) {
    await crew.startServer().started
    await crew.startClients(clients)
    const conversation = await Conversation.begin(crew, {
      messages: Math.ceil(messages / clients),
      perDelivery,
    })
    const moments = Array.from({ length: times }, () => crew.random.fraction()).sort()
    for (const moment of moments) {
      await conversation.reaches(moment * messages)
      const goOn = crew.stop(crew.random.pick(crew.members))
      await later(crew.random.between(10, 400))
      goOn()
    }
    await conversation.end(verdict)
    await crew.close()
    verdict.messages(crew, { exactlyOnce: true })
    verdict.figures.stopped = crew.stops.length
  },
}

module.exports = stops
