'use strict'

const { meet, metered } = require('./sides')
const { small } = require('./message')

const FLIGHT = 1000

const flight = {
  name: 'flight',
  essential: true,
  title: `Requests, ${FLIGHT.toLocaleString('en')} in flight`,
  feature: 'flight',
  columns: [
    { key: 'rate', label: 'answers/s', unit: '/s', better: 'more' },
    { key: 'cpu', label: 'CPU each', unit: 'µs', better: 'less' },
  ],
  async measure(group, { places, quick }) {
    const sides = await meet(group, places, { uses: 'flight' })
    await sides.client.call('flight.requests', { time: quick ? 80 : 500 })
    return metered(sides, () => sides.client.call('flight.requests', { time: quick ? 150 : 1000 }))
  },
}

const parts = {
  // Keeps FLIGHT requests in flight until the time is over, then waits for the last answers.
  requests({ client }, { time, inFlight = FLIGHT }) {
    return new Promise((resolve, reject) => {
      const start = performance.now()
      let sent = 0
      let answered = 0
      let over = false
      const ask = n => {
        sent++
        client.request(small(n)).then(answer => {
          if (answer.n !== n) reject(new Error(`asked ${n}, answered ${JSON.stringify(answer)}`))
          answered++
          if ((answered & 15) === 0) over ||= performance.now() - start > time
          if (!over) ask(sent)
          else if (answered === sent) {
            resolve({ rate: (answered / (performance.now() - start)) * 1000, messages: answered })
          }
        }, reject)
      }
      for (let n = 0; n < inFlight; n++) ask(n)
    })
  },
}

module.exports = { workloads: [flight], parts, FLIGHT }
