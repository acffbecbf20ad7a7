'use strict'

/** What a client sends and receives: numbered messages of all kinds, in rounds, each with a delivery at its end. */

const { WHAT, KIND, codeOf } = require('./journal')
const { SERVER, payload, broadcastPayload, read, answerTo, nameOf } = require('./payload')
const { Random } = require('./random')

/** Concurrent rounds. Their messages fit into a socket, so that none is only in the server's memory. */
const AT_ONCE = 4

class Workload {
  /** Sentences that describe faults. */
  faults = []
  #journal
  #index
  #life
  #peers
  #random
  #client = null
  #open = 0
  #sent = 0
  #last = []

  /** `peers` are the indices of all other clients. */
  constructor({ journal, index, life, peers, seed }) {
    this.#journal = journal
    this.#index = index
    this.#life = life
    this.#peers = peers
    this.#random = new Random(seed)
  }

  get handlers() {
    return {
      note: container => void this.#take(container, container.from ? KIND.EMIT : KIND.SERVER_EMIT),
      all: container => void this.#take(container, container.from ? KIND.BROADCAST : KIND.SERVER_BROADCAST),
      ask: container => answerTo(this.#take(container, KIND.DELIVERY)),
      hang: () => new Promise(() => {}),
    }
  }

  join(client) {
    this.#client = client
    client.on('connect', () => {
      this.#journal.add(WHAT.CONNECTED, KIND.NONE, this.#index, this.#life, 0)
      this.#journal.flush()
    })
    client.on('error', error => this.faults.push(error.stack))
  }

  /** Sends `messages` messages, `perDelivery` for each delivery. Resolves when all promises have settled. */
  async run({ messages, perDelivery = 20, large = true }) {
    const until = this.#sent + messages
    const rounds = Array.from({ length: AT_ONCE }, async () => {
      while (this.#sent < until) await this.#round(Math.min(perDelivery, until - this.#sent), large)
    })
    await Promise.all(rounds)
  }

  /** One more delivery to each receiver. When these are answered, all messages before them have been handled. */
  async fence() {
    for (const receiver of [SERVER, ...this.#peers]) await this.#deliver(receiver)
    this.#journal.flush()
    // Its answer comes after everything that the server itself has sent to this client.
    await this.#client.deliver(null, 'fence', null)
  }

  state() {
    this.#journal.flush()
    return { sent: this.#sent, open: this.#open, faults: this.faults, connected: this.#client.isConnected() }
  }

  #round(messages, large) {
    const settled = []
    const isForServer = this.#peers.length === 0 || this.#random.percent(40)
    const receiver = isForServer ? SERVER : this.#random.pick(this.#peers)
    for (let left = messages - 1; left > 0; left--) {
      if (receiver === SERVER) settled.push(this.#send(large))
      else if (this.#random.percent(10)) settled.push(this.#broadcast())
      else settled.push(this.#emit(receiver))
    }
    settled.push(this.#deliver(receiver, large))
    return Promise.all(settled)
  }

  #send(large) {
    const data = this.#payload(SERVER, KIND.SEND, large)
    return this.#watch(this.#client.send('note', data), KIND.SEND, [SERVER])
  }

  #emit(receiver) {
    const data = this.#payload(receiver, KIND.EMIT, false)
    return this.#watch(this.#client.emit(nameOf(receiver), 'note', data), KIND.EMIT, [receiver])
  }

  #broadcast() {
    const numbers = []
    for (const peer of this.#peers) numbers[peer] = this.#number(peer, KIND.BROADCAST)
    this.#journal.flush()
    const data = broadcastPayload(this.#index, this.#life, numbers)
    return this.#watch(this.#client.broadcast('all', data), KIND.BROADCAST, this.#peers)
  }

  #deliver(receiver, large = false) {
    const data = this.#payload(receiver, KIND.DELIVERY, large)
    const number = this.#last[receiver]
    const answer = this.#client.deliver(receiver === SERVER ? null : nameOf(receiver), 'ask', data)
    return this.#watch(answer, KIND.DELIVERY, [receiver], value => {
      if (value === answerTo(number)) return
      this.#journal.add(WHAT.WRONG, KIND.DELIVERY, receiver, this.#life, number)
      this.faults.push(`delivery ${number} to ${receiver} was answered with ${JSON.stringify(value)}`)
    })
  }

  /** The data of the next message to a receiver, which is in the journal before it is sent. */
  #payload(receiver, kind, large) {
    const number = this.#number(receiver, kind)
    this.#journal.flush()
    const isLarge = large && this.#random.percent(1)
    const size = isLarge ? this.#random.between(1000, 60_000) : 0
    return payload(this.#index, this.#life, number, size, isLarge && this.#random.percent(50))
  }

  #number(receiver, kind) {
    const number = (this.#last[receiver] ?? 0) + 1
    this.#last[receiver] = number
    this.#journal.add(WHAT.SENT, kind, receiver, this.#life, number)
    return number
  }

  #watch(promise, kind, receivers, check) {
    const numbers = receivers.map(receiver => this.#last[receiver])
    this.#sent++
    this.#open++
    const note = (what, detail) => {
      this.#open--
      for (const [at, receiver] of receivers.entries()) {
        this.#journal.add(what, kind, receiver, this.#life, numbers[at], detail)
      }
    }
    return promise.then(
      value => {
        note(WHAT.SETTLED, 0)
        check?.(value)
      },
      error => {
        const code = codeOf(error)
        note(WHAT.FAILED, code)
        if (code === 0) this.faults.push(error?.stack ?? String(error))
      },
    )
  }

  #take({ data, redelivered }, kind) {
    const { sender, life, number } = read(data, this.#index)
    // A broadcast may reach a client before the server's program knows of it.
    if (number === 0) return 0
    this.#journal.add(WHAT.GOT, kind, sender, life, number, redelivered ? 1 : 0)
    this.#journal.flush()
    return number
  }
}

module.exports = { Workload }
