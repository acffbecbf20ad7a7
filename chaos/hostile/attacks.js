'use strict'

/** The attacks, by name. Each takes the server's path, the scale (1 is the full attack) and random numbers. */

const { Peer, KIND, frameOf, handshakeOf } = require('./peer')

const MEBIBYTE = Buffer.alloc(2 ** 20, 'x')
const LONG = 'n'.repeat(60_000)

const attacks = {
  async 'huge session keys'({ path, scale }) {
    for (let index = 0; index < 10; index++) {
      const peer = await Peer.connect(path)
      const [beginning] = handshakeOf(`key${index}`, { session: '?' }).split('?')
      await peer.write(beginning)
      await peer.repeat(MEBIBYTE, 200 * scale)
      await peer.write('"}}')
      await peer.destroy()
    }
  },

  async 'bytes before any handshake'({ path, scale }) {
    const peers = await crowd(12, () => Peer.connect(path))
    await Promise.all(peers.map(peer => peer.write('{"id":"')))
    await Promise.all(peers.map(peer => peer.repeat(MEBIBYTE, 300 * scale)))
    await leave(peers)
  },

  async 'sessions that vanish, with long names'({ path, scale }) {
    await repeatedly(10_000 * scale, 20, async index => {
      const peer = await Peer.handshake(path, index + LONG)
      await peer.destroy()
    })
  },

  /** The controller makes the server broadcast meanwhile. */
  async 'broadcasts for sessions that vanished'({ path, scale, broadcast }) {
    await repeatedly(2000 * scale, 20, async index => {
      const peer = await Peer.handshake(path, `vanished${index}`)
      await peer.destroy()
    })
    for (let time = 0; time < 5; time++) await broadcast(200, 1000)
  },

  async 'acknowledgements that are never read'({ path, scale }) {
    const peers = await crowd(8, index => Peer.handshake(path, `deaf${index}`))
    for (const { socket } of peers) socket.pause()
    const voids = Buffer.concat(Array.from({ length: 100 }, () => frameOf(KIND.VOID)))
    await Promise.all(peers.map(peer => peer.repeat(voids, 5000 * scale)))
    await leave(peers)
  },

  async 'deliveries that are never answered, and their cancels'({ path, scale }) {
    const sink = await Peer.handshake(path, 'sink')
    const asker = await Peer.handshake(path, 'asker')
    let id = 0
    for (let batch = 0; batch < 200 * scale; batch++) {
      const ask = () => frameOf(KIND.REQUEST, { id: ++id, name: 'sink', command: 'x', payload: '1' })
      await asker.write(Buffer.concat(Array.from({ length: 1000 }, ask)))
    }
    const cancels = Array.from({ length: id }, (_, at) => frameOf(KIND.CANCEL, { id: at + 1 }))
    await asker.write(Buffer.concat(cancels))
    await sleep(500)
    await leave([asker, sink])
  },

  async 'frames that never end'({ path, scale }) {
    const peers = await crowd(20, index => Peer.handshake(path, `endless${index}`))
    const begin = frameOf(KIND.SEND, { command: 'x', length: 2 ** 28 })
    await Promise.all(peers.map(peer => peer.write(begin)))
    // The sockets take no more if the server does not read.
    await Promise.race([Promise.all(peers.map(peer => peer.repeat(MEBIBYTE, 250 * scale))), sleep(8000)])
    await leave(peers)
  },

  async 'connects and closes'({ path, scale }) {
    await repeatedly(20_000 * scale, 50, async () => (await Peer.connect(path)).destroy())
  },

  async 'handshakes and closes'({ path, scale }) {
    await repeatedly(10_000 * scale, 50, async index =>
      (await Peer.handshake(path, `brief${index}`)).destroy(),
    )
  },

  async 'deep JSON'({ path, scale }) {
    for (const depth of [1e5, 1e6, 1e7 * scale]) {
      const payload = '['.repeat(depth) + ']'.repeat(depth)
      const sender = await Peer.handshake(path, 'deep')
      await sender.write(frameOf(KIND.SEND, { command: 'echo', payload }))
      await sender.write(frameOf(KIND.EMIT, { name: 'c1', command: 'nothing', payload }))
      await sleep(300)
      await leave([sender])
    }
  },

  async 'forged acknowledgements and answers'({ path, scale, random }) {
    await repeatedly(300 * scale, 10, async index => {
      const acknowledging = await Peer.handshake(path, `forger${index}`)
      await acknowledging.write(frameOf(KIND.ACKNOWLEDGEMENT, { id: random.between(0, 2 ** 40) }))
      const answering = await Peer.handshake(path, `liar${index}`)
      const answers = Array.from({ length: 200 }, () => {
        const id = random.percent(50) ? random.between(0, 1000) : random.between(0, 2 ** 50)
        return frameOf(KIND.RESPONSE, { id, payload: '"forged"' })
      })
      await answering.write(Buffer.concat(answers))
      await sleep(20)
      await leave([acknowledging, answering])
    })
  },

  async 'garbage, and unknown kinds'({ path, scale, random }) {
    const noise = size => Buffer.from(Array.from({ length: size }, () => random.between(0, 256)))
    await repeatedly(500 * scale, 10, async index => {
      const unknown = await Peer.connect(path)
      await unknown.write(noise(random.between(1, 2000)))
      const known = await Peer.handshake(path, `noise${index}`)
      const lengths = { nameLength: random.between(0, 65_536), commandLength: random.between(0, 65_536) }
      await known.write(
        random.pick([
          noise(random.between(1, 2000)),
          frameOf(random.between(11, 256), { payload: noise(20) }),
          frameOf(KIND.SEND, { command: 'echo', payload: '{"unfinished":' }),
          frameOf(KIND.EMIT, { name: 'c1', command: 'note', payload: noise(20), ...lengths }),
          frameOf(KIND.SEND, { command: Buffer.from([0xff, 0xfe]), payload: '1' }),
          frameOf(KIND.SEND, { flags: 0xff, payload: noise(20), length: random.between(0, 14) }),
        ]),
      )
      await sleep(5)
      await leave([unknown, known])
    })
  },

  async 'handshakes that make no sense'({ path, scale, random }) {
    const nonsense = [
      { limit: 0 },
      { limit: -1 },
      { limit: 2 ** 60 },
      { version: 99 },
      { version: 0 },
      { version: 'two' },
      { attempt: 2 ** 40 },
      { received: 2 ** 60 },
      { server: 'f'.repeat(1000) },
      { session: '' },
      { session: null },
    ]
    await repeatedly(600 * scale, 10, async index => {
      const peer = await Peer.handshake(path, `odd${index}`, random.pick(nonsense))
      // The program answers with an `emit`, which must not throw because of this peer.
      await peer.write(frameOf(KIND.SEND, { command: 'reply', payload: '1' }))
      await sleep(5)
      await leave([peer])
    })
  },

  async 'two peers that fight for a name, and for an honest one'({ path, scale }) {
    const end = Date.now() + 5000 * scale
    const fight = async name => {
      while (Date.now() < end) {
        const peer = await Peer.handshake(path, name)
        await peer.write(frameOf(KIND.SEND, { command: 'reply', payload: '1' }))
        await peer.destroy()
      }
    }
    await Promise.all([fight('coveted'), fight('coveted'), fight('c1'), fight('c2')])
  },

  async 'readers that do not read'({ path, scale, broadcast }) {
    const peers = await crowd(10, index => Peer.handshake(path, `slow${index}`))
    for (const { socket } of peers) socket.pause()
    const ask = frameOf(KIND.REQUEST, { id: 1, command: 'echo', payload: `"${'x'.repeat(50_000)}"` })
    await Promise.race([Promise.all(peers.map(peer => peer.repeat(ask, 200 * scale))), sleep(5000)])
    await broadcast(500 * scale, 1000)
    await sleep(1000)
    await leave(peers)
  },

  async 'sockets that are half closed'({ path, scale }) {
    await repeatedly(500 * scale, 20, async index => {
      const peer = index % 2 ? await Peer.connect(path) : await Peer.handshake(path, `half${index}`)
      peer.socket.end()
      await Promise.race([peer.gone, sleep(200)])
      await leave([peer])
    })
  },

  async 'peers of protocol 1 that stop halfway'({ path, scale }) {
    const stopped = await crowd(Math.ceil(100 * scale), async index => {
      const peer = await Peer.connect(path)
      await peer.write(
        JSON.stringify({ id: null, command: 'handshake', data: `old${index}`, delivery: null }),
      )
      await Promise.race([new Promise(resolve => peer.socket.once('data', resolve)), peer.gone, sleep(1000)])
      const uuid = /"data":"([0-9a-f]{32})"/.exec(peer.received.toString('latin1'))?.[1]
      if (index % 2 || !uuid) return [peer]
      const own = await Peer.connect(`${path}.${uuid}`)
      await own.write('{"id":null,"command":"echo","data":')
      await own.repeat(MEBIBYTE, index % 10 === 0 ? 20 * scale : 0)
      return [peer, own]
    })
    await sleep(500)
    await leave(stopped.flat())
  },
}

function crowd(count, make) {
  return Promise.all(Array.from({ length: count }, (_, index) => make(index)))
}

async function repeatedly(count, atOnce, act) {
  let next = 0
  await crowd(atOnce, async () => {
    while (next < count) await act(next++)
  })
}

function leave(peers) {
  return Promise.all(peers.map(peer => peer.destroy()))
}

function sleep(milliseconds) {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

module.exports = { attacks }
