'use strict'

const { Conversation } = require('../conversation')
const { later } = require('../crew')
const { clock } = require('../journal')

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
    const stopped = []
    const moments = Array.from({ length: times }, () => crew.random.fraction()).sort()
    for (const moment of moments) {
      await conversation.reaches(moment * messages)
      const { child } = crew.random.pick(crew.members)
      const from = clock()
      child.kill('SIGSTOP')
      await later(crew.random.between(10, 400))
      child.kill('SIGCONT')
      stopped.push({ from, to: clock() })
    }
    // Whoever waits for one that is stopped is not held up by that, but one that was stopped sees a stall.
    const isExcused = ({ ended, length }) =>
      stopped.some(({ from, to }) => ended >= from && ended - length <= to + 100)
    await conversation.end(verdict, { isExcused })
    await crew.close()
    verdict.messages(crew, { exactlyOnce: true })
    verdict.figures.stopped = stopped.length
  },
}

module.exports = stops
