'use strict'

// One line that says what is being measured, and the progress. If the output is no terminal, one
// line for each workload.
class Progress {
  constructor(total) {
    this.total = total
    this.number = 0
    this.terminal = process.stderr.isTTY
    this.started = performance.now()
  }

  begin({ name }, steps) {
    this.number++
    this.name = name
    this.steps = steps
    this.done = 0
    if (!this.terminal) process.stderr.write(`${this.where()} (${steps} samples)\n`)
  }

  step({ label }, round, rounds) {
    this.done++
    if (!this.terminal) return
    const line = `${this.where()}: ${label}, round ${round + 1} of ${rounds} (${this.done}/${this.steps})`
    process.stderr.write(`\r\x1b[2K${line}${this.done === this.steps ? '\r\x1b[2K' : ''}`)
  }

  end() {
    if (this.terminal) process.stderr.write('\r\x1b[2K')
  }

  where() {
    const seconds = Math.round((performance.now() - this.started) / 1000)
    return `[${this.number}/${this.total}, ${seconds} s] ${this.name}`
  }
}

module.exports = { Progress }
