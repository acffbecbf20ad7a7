'use strict'

const ascending = values => Float64Array.from(values).sort()

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]

function median(values) {
  const sorted = ascending(values)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

// Summarizes the latencies of one sample.
function latencies(values) {
  const sorted = ascending(values)
  return {
    count: sorted.length,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    p999: percentile(sorted, 0.999),
    max: sorted[sorted.length - 1],
  }
}

// Summarizes one figure over all rounds.
function summary(values) {
  const sorted = ascending(values)
  return {
    median: median(sorted),
    low: sorted[0],
    high: sorted[sorted.length - 1],
    count: sorted.length,
  }
}

module.exports = { median, latencies, summary }
