'use strict'

// Three significant digits, with thousands separators.
function number(value) {
  if (!Number.isFinite(value)) return ''
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(Number(value.toPrecision(3))).toLocaleString('en')
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return trim(value.toFixed(1))
  return trim(value.toFixed(2))
}

// The same, short enough for a picture.
function short(value) {
  const size = Math.abs(value)
  if (size >= 999_500) return `${trim((value / 1e6).toFixed(2))} M`
  if (size >= 9995) return `${Math.round(value / 1000)} k`
  if (size >= 1000) return `${trim((value / 1000).toFixed(1))} k`
  return number(value)
}

const trim = text => String(Number(text))

module.exports = { number, short }
