'use strict'

/** What hostile peers do, each by a function of where the server is, how much of it there shall be (1 is all), and chance. */

const { Peer, frame, handshake, KIND } = require('./peer')

const MEBIBYTE = Buffer.alloc(2 ** 20, 'x')
const LONG = 'n'.repeat(60_000)

const attacks = {
  async 'huge session keys'({ path, scale }) {
    for (let index = 0; index < 10; index++) {
      const peer = await Peer.connect(path)
      const [beginning] = handshake(`key${index}`, { session: '?' }).split('?')
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
    await inTurns(10_000 * scale, 20, async index => {
      const peer = await Peer.greet(path, index + LONG)
      await peer.destroy()
    })
  },

  /** The conductor lets the server broadcast meanwhile. */
  async 'broadcasts for sessions that vanished'({ path, scale, broadcast }) {
    await inTurns(2000 * scale, 20, async index => {
      const peer = await Peer.greet(path, `vanished${index}`)
      await peer.destroy()
    })
    for (let time = 0; time < 5; time++) await broadcast(200, 1000)
  },

  async 'acknowledgements that nobody reads'({ path, scale }) {
    const peers = await crowd(8, index => Peer.greet(path, `deaf${index}`))
    for (const { socket } of peers) socket.pause()
    const voids = Buffer.concat(Array.from({ length: 100 }, () => frame(KIND.VOID)))
    await Promise.all(peers.map(peer => peer.repeat(voids, 5000 * scale)))
    await leave(peers)
  },

  async 'deliveries that nobody answers, and their cancels'({ path, scale }) {
    const sink = await Peer.greet(path, 'sink')
    const asker = await Peer.greet(path, 'asker')
    let id = 0
    for (let batch = 0; batch < 200 * scale; batch++) {
      const ask = () => frame(KIND.REQUEST, { id: ++id, name: 'sink', command: 'x', payload: '1' })
      await asker.write(Buffer.concat(Array.from({ length: 1000 }, ask)))
    }
    const cancels = Array.from({ length: id }, (_, at) => frame(KIND.CANCEL, { id: at + 1 }))
    await asker.write(Buffer.concat(cancels))
    await sleep(500)
    await leave([asker, sink])
  },

  async 'frames that never end'({ path, scale }) {
    const peers = await crowd(20, index => Peer.greet(path, `endless${index}`))
    const begin = frame(KIND.SEND, { command: 'x' }, { size: 2 ** 28 })
    await Promise.all(peers.map(peer => peer.write(begin)))
    // Where the server does not read, nothing more is taken.
    await Promise.race([Promise.all(peers.map(peer => peer.repeat(MEBIBYTE, 250 * scale))), sleep(8000)])
    await leave(peers)
  },

  async 'connects and closes'({ path, scale }) {
    await inTurns(20_000 * scale, 50, async () => (await Peer.connect(path)).destroy())
  },

  async 'handshakes and closes'({ path, scale }) {
    await inTurns(10_000 * scale, 50, async index => (await Peer.greet(path, `brief${index}`)).destroy())
  },

  async 'deep JSON'({ path, scale }) {
    for (const depth of [1e5, 1e6, 1e7 * scale]) {
      const payload = '['.repeat(depth) + ']'.repeat(depth)
      const sender = await Peer.greet(path, 'deep')
      await sender.write(frame(KIND.SEND, { command: 'echo', payload }))
      await sender.write(frame(KIND.EMIT, { name: 'c1', command: 'nothing', payload }))
      await sleep(300)
      await leave([sender])
    }
  },

  async 'forged acknowledgements and answers'({ path, scale, random }) {
    await inTurns(300 * scale, 10, async index => {
      const acknowledging = await Peer.greet(path, `forger${index}`)
      await acknowledging.write(frame(KIND.ACKNOWLEDGEMENT, { id: random.between(0, 2 ** 40) }))
      const answering = await Peer.greet(path, `liar${index}`)
      const answers = Array.from({ length: 200 }, () => {
        const id = random.percent(50) ? random.between(0, 1000) : random.between(0, 2 ** 50)
        return frame(KIND.RESPONSE, { id, payload: '"forged"' })
      })
      await answering.write(Buffer.concat(answers))
      await sleep(20)
      await leave([acknowledging, answering])
    })
  },

  async 'garbage, and kinds that nobody knows'({ path, scale, random }) {
    const noise = size => Buffer.from(Array.from({ length: size }, () => random.between(0, 256)))
    await inTurns(500 * scale, 10, async index => {
      const unknown = await Peer.connect(path)
      await unknown.write(noise(random.between(1, 2000)))
      const known = await Peer.greet(path, `noise${index}`)
      const lies = { name: random.between(0, 65_536), command: random.between(0, 65_536) }
      await known.write(
        random.pick([
          noise(random.between(1, 2000)),
          frame(random.between(11, 256), { payload: noise(20) }),
          frame(KIND.SEND, { command: 'echo', payload: '{"unfinished":' }),
          frame(KIND.EMIT, { name: 'c1', command: 'note', payload: noise(20) }, lies),
          frame(KIND.SEND, { command: Buffer.from([0xff, 0xfe]), payload: '1' }),
          frame(KIND.SEND, { flags: 0xff, payload: noise(20) }, { size: random.between(0, 14) }),
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
    await inTurns(600 * scale, 10, async index => {
      const peer = await Peer.greet(path, `odd${index}`, random.pick(nonsense))
      // The program answers by an `emit`, which must not throw because of this peer.
      await peer.write(frame(KIND.SEND, { command: 'reply', payload: '1' }))
      await sleep(5)
      await leave([peer])
    })
  },

  async 'two who fight for a name, and for an honest one'({ path, scale }) {
    const end = Date.now() + 5000 * scale
    const fight = async name => {
      while (Date.now() < end) {
        const peer = await Peer.greet(path, name)
        await peer.write(frame(KIND.SEND, { command: 'reply', payload: '1' }))
        await peer.destroy()
      }
    }
    await Promise.all([fight('coveted'), fight('coveted'), fight('c1'), fight('c2')])
  },

  async 'readers that do not read'({ path, scale, broadcast }) {
    const peers = await crowd(10, index => Peer.greet(path, `slow${index}`))
    for (const { socket } of peers) socket.pause()
    const ask = frame(KIND.REQUEST, { id: 1, command: 'echo', payload: `"${'x'.repeat(50_000)}"` })
    await Promise.race([Promise.all(peers.map(peer => peer.repeat(ask, 200 * scale))), sleep(5000)])
    await broadcast(500 * scale, 1000)
    await sleep(1000)
    await leave(peers)
  },

  async 'sockets that are closed half'({ path, scale }) {
    await inTurns(500 * scale, 20, async index => {
      const peer = index % 2 ? await Peer.connect(path) : await Peer.greet(path, `half${index}`)
      peer.socket.end()
      await Promise.race([peer.gone, sleep(200)])
      await leave([peer])
    })
  },

  async 'peers of protocol 1 that stop half way'({ path, scale }) {
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

async function inTurns(count, atOnce, act) {
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
