'use strict'

// Calls between the main program and the processes that it started: lines of JSON on a socket that is
// silent during a measurement.
class Control {
  constructor(socket, { answer, onHello = () => {}, onClose = () => {} }) {
    this.socket = socket
    this.answer = answer
    this.onHello = onHello
    this.waiting = new Map()
    this.next = 1
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('error', () => {})
    socket.on('close', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the process ended'))
      onClose(this)
    })
    socket.on('data', chunk => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      for (const line of lines) this.take(JSON.parse(line))
    })
  }

  hello(facts) {
    this.write({ hello: facts })
  }

  call(method, options = {}) {
    return new Promise((resolve, reject) => {
      const id = this.next++
      this.waiting.set(id, { resolve, reject })
      this.write({ id, method, options })
    })
  }

  async take({ id, hello, method, options, value, error }) {
    if (hello) {
      this.onHello(hello, this)
    } else if (method) {
      try {
        this.write({ id, value: await this.answer(method, options) })
      } catch (thrown) {
        this.write({ id, error: thrown?.stack ?? String(thrown) })
      }
    } else {
      const { resolve, reject } = this.waiting.get(id)
      this.waiting.delete(id)
      if (error) reject(new Error(error))
      else resolve(value)
    }
  }

  write(message) {
    if (this.socket.writable) this.socket.write(`${JSON.stringify(message)}\n`)
  }
}

module.exports = { Control }
