'use strict'

/**
 * Compares what was sent with what was received, from the journals of a campaign, by the rules of
 * docs/guarantees.md. A stream is what one life of a sender sent to one receiver, through all lives of that.
 */

const { Journal, WHAT, KIND, CODES } = require('./journal')
const { SERVER } = require('./payload')

/** How long a starting server holds messages for absent clients, in milliseconds, minus the tolerance of the clocks. */
const KEEPS = 1900

/** How many examples are reported of each kind of fault. */
const EXAMPLES = 5

class Ledger {
  counts = { sent: 0, received: 0, lost: 0, reordered: 0, unmarked: 0, marked: 0, wrong: 0, excused: 0 }
  /** How often calls were rejected, by code. */
  rejected = {}
  examples = []
  #streams = new Map()
  /** For each life of the server: when it began, and when all clients were connected. */
  #lives = []
  #processes

  /**
   * `processes` has the journals and the kills. `allowedRewinds` is how often a stream may repeat messages that it had
   * received.
   */
  constructor(processes, { allowedRewinds = 0 } = {}) {
    this.#processes = processes
    for (const [life, path] of processes.journals[SERVER].entries()) this.#readServersLife(path, life)
    const paths = processes.journals.flatMap((lives, index) =>
      Object.values(lives).map(path => ({ index, path })),
    )
    for (const { index, path } of paths) this.#readSent(path, index)
    for (const { index, path } of paths) this.#readGot(path, index)
    for (const stream of this.#streams.values()) this.#judge(stream, allowedRewinds)
  }

  #readServersLife(path, life) {
    const connected = new Set()
    const facts = {
      start: undefined,
      complete: undefined,
      end: this.#processes.kills[life] ?? Number.POSITIVE_INFINITY,
    }
    this.#lives[life] = facts
    Journal.read(path, (what, _kind, peer, _life, _number, _detail, time) => {
      if (what === WHAT.STARTING) facts.start = time
      if (what === WHAT.CONNECTED && connected.add(peer).size === this.#processes.count)
        facts.complete ??= time
    })
  }

  #readSent(path, sender) {
    Journal.read(path, (what, kind, peer, life, number, detail, time) => {
      if (what === WHAT.SENT) {
        const sent = { kind, sentAt: time, settledAt: undefined, code: undefined }
        this.#stream(sender, life, peer).sent[number] = sent
        this.counts.sent++
      } else if (what === WHAT.SETTLED || what === WHAT.FAILED) {
        const sent = this.#stream(sender, life, peer).sent[number]
        sent.settledAt = time
        if (what === WHAT.FAILED) {
          sent.code = CODES[detail]
          this.rejected[sent.code] = (this.rejected[sent.code] ?? 0) + 1
        }
      } else if (what === WHAT.WRONG) {
        this.counts.wrong++
      }
    })
  }

  #readGot(path, receiver) {
    Journal.read(path, (what, _kind, peer, life, number, detail) => {
      if (what !== WHAT.GOT) return
      const stream = this.#stream(peer, life, receiver)
      this.counts.received++
      this.counts.marked += detail
      this.#take(stream, number, detail === 1)
    })
  }

  #take(stream, number, isMarked) {
    if (stream.sent[number] === undefined) {
      this.#fault('wrong', stream, number, 'was never sent')
      return
    }
    if (number <= stream.previous) stream.rewinds++
    stream.previous = number
    if (stream.seen[number]) {
      if (!isMarked) this.#fault('unmarked', stream, number, 'came twice and is not marked')
    } else if (number < stream.highest) {
      this.#fault('reordered', stream, number, `came behind ${stream.highest}`)
    }
    stream.seen[number] = true
    stream.highest = Math.max(stream.highest, number)
  }

  #judge(stream, allowedRewinds) {
    if (stream.rewinds > allowedRewinds) {
      this.#fault(
        'reordered',
        stream,
        stream.highest,
        `and others: ${stream.rewinds} times one came before it`,
      )
    }
    stream.sent.forEach((sent, number) => {
      if (stream.seen[number]) return
      if (this.#isOwed(stream, sent, number)) {
        this.#fault('lost', stream, number, `of kind ${sent.kind} never came${this.#when(sent)}`)
      } else {
        this.counts.excused++
      }
    })
  }

  /** Whether docs/guarantees.md promises that it arrives. */
  #isOwed(stream, sent, number) {
    // Its sender knows that it failed.
    if (sent.code !== undefined) return false
    // A later message was received.
    const wasOvertaken = number < stream.highest
    if (stream.sender === SERVER) {
      // Messages of the server itself are only in its memory until they are written.
      return wasOvertaken || this.#processes.kills[stream.life] === undefined
    }
    if (sent.kind === KIND.BROADCAST) return this.#isBroadcastOwed(sent)
    // A delivery fails if its receiver is killed before it reads it. A sender that is killed too cannot record that.
    if (sent.kind === KIND.DELIVERY) return sent.settledAt !== undefined
    // Messages of a killed sender that were not acknowledged are lost.
    return wasOvertaken || sent.settledAt !== undefined
  }

  /** A broadcast is for clients that are connected, or that connect within two seconds after the start it waited for. */
  #isBroadcastOwed({ sentAt, settledAt }) {
    if (settledAt === undefined) return false
    const life = this.#lives.findLast(({ start }) => start !== undefined && start <= settledAt)
    if (life?.complete === undefined || life.complete > life.end) return false
    return sentAt > life.complete || (sentAt < life.start && life.complete - life.start < KEEPS)
  }

  /** When it was sent and settled, relative to the starts of servers. */
  #when({ sentAt, settledAt }) {
    if (this.#processes.kills.length === 0) return ''
    const place = time => {
      const life = this.#lives.findLastIndex(({ start }) => start !== undefined && start <= time)
      const since = life < 0 ? 0 : Math.round(time - this.#lives[life].start)
      return `${since} ms after start ${life}`
    }
    return `, sent ${place(sentAt)}, settled ${settledAt === undefined ? 'never' : place(settledAt)}`
  }

  #fault(kind, stream, number, what) {
    this.counts[kind]++
    if (this.counts[kind] > EXAMPLES) return
    const { sender, life, receiver } = stream
    this.examples.push(`${kind}: ${number} from ${sender}.${life} to ${receiver} ${what}`)
  }

  #stream(sender, life, receiver) {
    const key = (sender * 65_536 + receiver) * 2 ** 20 + life
    let stream = this.#streams.get(key)
    if (!stream) {
      stream = { sender, life, receiver, sent: [], seen: [], highest: 0, previous: 0, rewinds: 0 }
      this.#streams.set(key, stream)
    }
    return stream
  }
}

module.exports = { Ledger }
