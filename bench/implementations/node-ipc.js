'use strict'

const { InOrder } = require('./in-order')

// It has events in both directions, but no answers, no acknowledgements and no raw bytes.
module.exports = {
  name: 'node-ipc',
  label: 'node-ipc',
  kind: 'library',
  features: ['roundtrip', 'flight', 'send', 'json', 'broadcast'],
  inOrder: true,
  available: () => undefined,

  async serve({ path, answer, receive }) {
    const ipc = await instance()
    await new Promise(resolve => {
      ipc.serve(path, resolve)
      ipc.server.start()
    })
    ipc.server.on('question', (data, socket) => ipc.server.emit(socket, 'answer', answer(data)))
    ipc.server.on('take', receive)
    return {
      broadcast: data => void ipc.server.broadcast('take', data),
      close: () => ipc.server.stop(),
    }
  },

  async connect({ path, receive }) {
    const ipc = await instance()
    const questions = new InOrder()
    ipc.connectTo('world', path)
    const server = ipc.of.world
    server.on('answer', data => questions.settle(data))
    server.on('take', receive)
    await new Promise(resolve => server.on('connect', resolve))
    return {
      request(data) {
        const answer = questions.expect()
        server.emit('question', data)
        return answer
      },
      send: data => void server.emit('take', data),
      close: () => ipc.disconnect('world'),
    }
  },
}

async function instance() {
  const { IPCModule } = await import('node-ipc')
  const ipc = new IPCModule()
  ipc.config.silent = true
  return ipc
}
