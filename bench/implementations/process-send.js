'use strict'

const { InOrder } = require('./in-order')

// The channel that child_process.fork makes: the server is the parent and starts the client.
// It has two serializations, and bytes need the other one, which is used only for them.
module.exports = {
  name: 'process.send',
  label: 'process.send',
  kind: 'library',
  features: ['roundtrip', 'flight', 'send', 'json', 'bytes'],
  inOrder: true,
  forks: true,
  available: () => undefined,

  async serve({ child, answer, receive, uses }) {
    child.on('message', uses === 'send' ? receive : data => child.send(answer(data)))
    return { close: () => {} }
  },

  async connect() {
    const questions = new InOrder()
    process.on('message', data => questions.settle(data))
    return {
      request(data) {
        const answer = questions.expect()
        process.send(data)
        return answer
      },
      send: data => void process.send(data),
      close: () => {},
    }
  },
}
