'use strict'

/** Runs checks one after the other, and prints the result of each. */
class Report {
  #only
  #rows = []

  /** `only`: runs the checks whose name contains one of these texts, or all if there are none. */
  constructor(only = []) {
    this.#only = only
  }

  async check(name, what) {
    if (this.#only.length > 0 && !this.#only.some(part => name.includes(part))) return
    const start = performance.now()
    let fault = null
    let remark
    try {
      remark = await what()
    } catch (error) {
      fault = error
    }
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    const row = `${fault ? 'FAILED' : 'ok    '}  ${name}${remark ? `: ${remark}` : ''} (${seconds} s)`
    this.#rows.push({ row, fault })
    console.log(row)
    if (fault) console.log(fault.stack)
  }

  /** Whether all checks passed. */
  close() {
    const failed = this.#rows.filter(({ fault }) => fault)
    for (const { row } of failed) console.log(row)
    console.log(`\n${this.#rows.length - failed.length} passed, ${failed.length} failed`)
    return this.#rows.length > 0 && failed.length === 0
  }
}

module.exports = { Report }
