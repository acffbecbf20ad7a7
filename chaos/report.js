'use strict'

/** The results of campaigns, as a table. */

const COLUMNS = [
  ['campaign', 'campaign'],
  ['driver', 'driver'],
  ['seconds', 'took s'],
  ['sent', 'sent'],
  ['received', 'received'],
  ['lost', 'lost'],
  ['reordered', 'reordered'],
  ['unmarked', 'unmarked'],
  ['marked', 'marked'],
  ['unsettled', 'unsettled'],
  ['descriptors', '+descriptors'],
  ['memory', '+MiB'],
  ['stall', 'stall ms'],
  ['files', 'files left'],
  ['verdict', ''],
]

function table(rows) {
  const lines = [COLUMNS.map(([, title]) => title), ...rows.map(cells)]
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map(line => line[column].length)))
  const [head, ...rest] = lines.map(line =>
    line.map((cell, column) => cell.padStart(widths[column])).join('  '),
  )
  return `${[head, '-'.repeat(head.length), ...rest].join('\n')}\n`
}

function cells(row) {
  return COLUMNS.map(([key]) => (row[key] === undefined ? '' : row[key].toLocaleString('en')))
}

module.exports = { table }
