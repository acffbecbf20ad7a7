'use strict'

const { short } = require('./figures')
const { line, picture, round, text } = require('./svg')

// The picture of the README: for each workload, a bar for every implementation that supports it.
// The length is the median; a line shows the lowest and the highest round.
const PANELS = [
  { workload: 'roundtrip', key: 'p50', name: 'Round trip', unit: 'µs', note: 'lower is better' },
  { workload: 'send', key: 'rate', name: 'One-way messages', unit: 'per second' },
  { workload: 'flight', key: 'rate', name: 'Requests, 1,000 in flight', unit: 'per second' },
  { workload: 'broadcast', key: 'rate', name: 'Broadcast to 100 clients', unit: 'delivered per second' },
  { workload: 'json-1k', key: 'bytes', name: 'Requests with 1 KB of JSON', unit: 'MB/s' },
  { workload: 'bytes-1m', key: 'bytes', name: 'Requests with a Buffer of 1 MB', unit: 'MB/s' },
]
const LEFT_OUT = ['ipcio-nopoll'] // the tables have it

const WIDTH = 880
const COLUMNS = 2
const GAP = 40
const LABELS = 162
const FIGURES = 62
const ROW = 20
const HEAD = 30
const TOP = 40

function bars(results) {
  const panels = PANELS.map(panel => ({ ...panel, rows: rowsOf(panel, results) })).filter(
    panel => panel.rows.length > 0,
  )
  if (panels.length === 0) return ''
  const width = (WIDTH - GAP * (COLUMNS - 1)) / COLUMNS
  const content = [text(0, 18, 'ipcio compared with other libraries', 'title')]
  let y = TOP
  for (let i = 0; i < panels.length; i += COLUMNS) {
    const line = panels.slice(i, i + COLUMNS)
    line.forEach((panel, column) => {
      content.push(...draw(panel, column * (width + GAP), y, width))
    })
    y += HEAD + Math.max(...line.map(panel => panel.rows.length)) * ROW + 24
  }
  content.push(text(0, y + 2, caption(results)))
  const description =
    'Bars that compare ipcio with node:net by hand, net-ipc, node-ipc, zeromq, ws and process.send'
  return picture(WIDTH, y + 14, description, content)
}

// An implementation that does not support this workload has a row without a bar, as in the tables.
function rowsOf({ workload, key }, { workloads: tables, implementations }) {
  return Object.entries(tables[workload]?.implementations ?? {})
    .filter(([name]) => !LEFT_OUT.includes(name))
    .map(([name, row]) => ({ ...implementations[name], ...row.figures[key] }))
}

function draw({ name, unit, note = 'higher is better', rows }, left, top, width) {
  const room = width - LABELS - FIGURES
  const scale = room / Math.max(...rows.map(row => row.high ?? 0))
  const start = left + LABELS
  return [
    text(left, top + 12, name, 'name'),
    text(left + width, top + 12, `${unit}, ${note}`, 'end'),
    ...rows.flatMap((row, i) => bar(row, start, top + HEAD + i * ROW, scale)),
  ]
}

function bar({ kind, label, median, low, high }, start, y, scale) {
  const middle = y + ROW / 2 - 2
  const content = [text(start - 8, middle + 4, label, 'end')]
  if (median === undefined) {
    content.push(text(start, middle + 4, '–'))
  } else {
    const size = `width="${round(median * scale)}" height="${ROW - 5}"`
    content.push(`  <rect class="bar" x="${round(start)}" y="${round(y)}" ${size} rx="2"/>`)
    if (high > low) content.push(line(start + low * scale, middle, start + high * scale, middle, 'spread'))
    content.push(text(start + high * scale + 6, middle + 4, short(median)))
  }
  return [`<g${kind === 'ours' ? ' class="ours"' : ''}>`, ...content, '</g>']
}

function caption({ machine, run }) {
  const places =
    run.pinned && run.places.free > 1 ? 'each process on its own CPU' : 'processes not on CPUs of their own'
  const rounds = run.rounds > 1 ? `median and range of ${run.rounds} rounds` : 'one round'
  return `${machine.cpu}${machine.virtual ? ' (virtual)' : ''}, Node ${machine.node}, ${machine.date.slice(0, 10)}; a Unix socket, ${places}; ${rounds}`
}

module.exports = { bars, caption }
