'use strict'

const { number } = require('./figures')

function heading({ machine, run }) {
  const where = run.pinned
    ? `server on CPU ${run.places.server}, client on CPU ${run.places.client}`
    : 'not kept on CPUs of their own: there is no taskset here'
  return [
    `${machine.cpu}, ${machine.cpus} CPUs${machine.virtual ? ' (virtual)' : ''}, ${machine.system}, Node ${machine.node}`,
    `${where}; ${run.rounds} ${run.rounds === 1 ? 'round' : 'rounds'}; ${machine.date}`,
    ...(run.quick
      ? ['Quick: shows that all works, not how fast it is, and with smaller numbers than the titles say.']
      : []),
    '',
    '',
  ].join('\n')
}

function limits({ limit: { spin, block, stream, unsent } }) {
  const line = (caption, figure, unit) =>
    figure ? [`  ${caption.padEnd(21)}  ${number(figure.median)} ${unit}`] : []
  return [
    ...(block ? ['A bare Unix socket, in C'] : []),
    ...line('round trip, spinning', spin, 'µs'),
    ...line('round trip, blocking', block, 'µs'),
    ...line('streaming, of 1 MB', stream?.['1m'], 'MB/s'),
    ...line('streaming, of 64 MB', stream?.['64m'], 'MB/s'),
    'One-way messages made and not sent: objects, JSON, and a promise each',
    ...line('', unsent, 'messages/s'),
    '',
    '',
  ].join('\n')
}

// The medians of all columns; for the first one also the lowest and highest round, and how many times better
// ipcio is, round by round.
function table({ title, columns, implementations }, results) {
  const rows = Object.entries(implementations)
  const figures = ({ key }) => rows.map(([, row]) => row.figures[key]).filter(Boolean)
  const shown = columns.filter(column => !column.sparse || figures(column).some(({ high }) => high > 0))
  const [main] = shown
  const repeated = figures(main).some(({ count }) => count > 1)
  const compared = rows.some(([, row]) => row.ratio)
  const head = ['', ...shown.map(caption)]
  if (repeated) head.splice(2, 0, 'low … high')
  if (compared) head.push('ipcio is better by')
  const lines = rows.map(([name, row]) => {
    const { label, inOrder } = results.implementations[name]
    const own = inOrder ? `${label} °` : label
    if (row.missing) return [own, `— ${row.missing.split('\n')[0]}`]
    const line = [own, ...shown.map(({ key }) => number(row.figures[key]?.median))]
    if (repeated) line.splice(2, 0, spread(row.figures[main.key]))
    if (compared) line.push(ratio(row.ratio))
    return line
  })
  return `${title}\n${align([head, ...lines])}\n`
}

function ending({ goals, run }) {
  const lines = []
  lines.push(
    '° has messages but no requests: the answers are taken to come in the order of the questions',
    '',
  )
  if (goals.length > 0) {
    const width = Math.max(...goals.map(goal => goal.text.length))
    lines.push('Goals')
    for (const { met, text, measured } of goals) {
      lines.push(`  ${met === undefined ? '?' : met ? '✔' : '✘'} ${text.padEnd(width)}  ${measured}`)
    }
    lines.push('')
  }
  if (run.seconds) lines.push(`${run.seconds} s`)
  return `${lines.join('\n')}\n`
}

const caption = ({ label, unit }) => (unit && !label.endsWith(unit) ? `${label}, ${unit}` : label)

const spread = figure => (figure ? `${number(figure.low)} … ${number(figure.high)}` : '')

function ratio(figure) {
  if (!figure) return ''
  const middle = `${number(figure.median)}×`
  return figure.count > 1 ? `${middle} (${spread(figure)})` : middle
}

function align(rows) {
  const [head] = rows
  const whole = rows.filter(row => row.length === head.length) // the other rows are a sentence
  const widths = head.map((_, i) => Math.max(...whole.map(row => row[i].length)))
  widths[0] = Math.max(...rows.map(row => row[0].length))
  const line = row => {
    if (row.length < head.length) return `${row[0].padEnd(widths[0])}   ${row[1]}`
    return row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   ')
  }
  return `${rows.map(row => `  ${line(row)}`.trimEnd()).join('\n')}\n`
}

module.exports = { heading, limits, table, ending }
