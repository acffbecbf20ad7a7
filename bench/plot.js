'use strict'

const { caption } = require('./chart')
const { short } = require('./figures')
const { line, picture, round, text } = require('./svg')

// Costs by load, with logarithmic axes: the lines should be flat.
const COLORS = { ipcio: '#2f81f7', 'ipcio-thread': '#d4730b', floor: '#8c959f' }

const WIDTH = 880
const GAP = 48
const HEIGHT = 190
const TOP = 84
const AXIS = 44
const MARGIN = 16

function plots(results) {
  const tables = Object.values(results.workloads).filter(table =>
    Object.values(table.implementations).some(row => row.points?.length > 1),
  )
  if (tables.length === 0) return ''
  const width = (WIDTH - GAP * (tables.length - 1)) / tables.length
  const implementations = [...new Set(tables.flatMap(table => Object.keys(table.implementations)))]
  const content = [text(0, 18, 'Costs under growing load', 'title')]
  let x = 0
  for (const implementation of implementations) {
    const { label } = results.implementations[implementation]
    content.push(`  <rect x="${x}" y="32" width="14" height="4" rx="2" fill="${COLORS[implementation]}"/>`)
    content.push(text(x + 20, 38, label))
    x += 20 + label.length * 7 + 16
  }
  tables.forEach((table, i) => {
    content.push(...draw(table, i * (width + GAP) + AXIS, width - AXIS - MARGIN))
  })
  const bottom = TOP + HEIGHT + 60
  content.push(text(0, bottom, caption(results)))
  const description = 'Costs by number of messages sent at once, of connected clients and of handlers'
  return picture(WIDTH, bottom + 12, description, content)
}

function draw({ implementations, axis, unit }, left, width) {
  const rows = Object.entries(implementations).filter(([, row]) => row.points)
  const points = rows.flatMap(([, row]) => row.points)
  const across = logarithmic(
    points.map(([x]) => x),
    left,
    left + width,
  )
  const down = logarithmic(
    points.map(([, y]) => y),
    TOP + HEIGHT,
    TOP,
  )
  return [
    text(left - AXIS, TOP - 14, unit, 'name'),
    ...down.ticks.flatMap(value => [
      line(left, down(value), left + width, down(value), 'grid'),
      text(left - 6, down(value) + 4, short(value), 'end'),
    ]),
    ...across.ticks.map(value => text(across(value), TOP + HEIGHT + 18, short(value), 'middle')),
    text(left + width / 2, TOP + HEIGHT + 36, axis, 'middle'),
    ...rows.flatMap(([name, row]) => {
      const place = ([x, y]) => `${round(across(x))},${round(down(y))}`
      return [
        `  <polyline points="${row.points.map(place).join(' ')}" fill="none" stroke="${COLORS[name]}" stroke-width="2"/>`,
        ...row.points.map(
          ([x, y]) =>
            `  <circle cx="${round(across(x))}" cy="${round(down(y))}" r="3" fill="${COLORS[name]}"/>`,
        ),
      ]
    }),
  ]
}

// Maps the powers of ten around the values to a part of the picture.
function logarithmic(values, from, to) {
  const low = Math.floor(Math.log10(Math.min(...values)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))))
  const place = value => from + ((Math.log10(value) - low) / (high - low)) * (to - from)
  place.ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i))
  return place
}

module.exports = { plots }
