'use strict'

const { ProcessGroup } = require('./processes')
const goals = require('./goals')
const limit = require('./limit')
const { canPin, facts, places } = require('./machine')
const { Progress } = require('./progress')
const report = require('./report')
const { median, summary } = require('./statistics')

const ROUNDS = 5
const LIMIT = 40_000 // ms for a sample
const QUICK_LIMIT = 15_000
const OURS = 'ipcio'

// Measures everything that was chosen, and prints each table when it is complete. `keep` saves the results so far,
// so that an interrupted run does not lose an hour.
async function measureAll({ workloads, implementations }, { quick, rounds }, keep) {
  const started = performance.now()
  const results = {
    machine: facts(),
    run: { quick, rounds: rounds ?? (quick ? 1 : ROUNDS), pinned: canPin(), places: places() },
    implementations: {},
    workloads: {},
  }
  const available = implementations.filter(implementation => usable(implementation))
  for (const { name, label, kind, inOrder } of implementations)
    results.implementations[name] = { label, kind, inOrder }
  process.stdout.write(report.heading(results))
  results.limit = limit.measure(results.run.places, results.run)
  process.stdout.write(report.limits(results))

  const progress = new Progress(workloads.length)
  const shared = {}
  for (const workload of workloads) {
    if (quick && workload.slow) continue
    const how = { places: results.run.places, quick, shared }
    const samples = await repeat(
      workload,
      available,
      how,
      rounds ?? (quick ? 1 : (workload.rounds ?? ROUNDS)),
      progress,
    )
    const table = tabulate(workload, samples)
    results.workloads[workload.name] = table
    process.stdout.write(report.table(table, results))
    keep(results)
  }
  progress.end()
  results.run.seconds = Math.round((performance.now() - started) / 1000)
  results.goals = quick ? [] : goals.check(results) // the figures of a quick run are not reliable
  process.stdout.write(report.ending(results))
  return results
}

// Every round measures each implementation once, so that compared figures were measured at nearly the same time. Each
// round starts with another workload, so that none always follows the same.
async function repeat(workload, available, how, rounds, progress) {
  const rows = available.filter(implementation => takesPart(implementation, workload, how))
  const implementations = rows.filter(implementation => implementation.features.includes(workload.feature))
  const samples = new Map(rows.map(implementation => [implementation.name, []]))
  const missing = workload.available?.()
  progress.begin(workload, missing ? 0 : rounds * implementations.length)
  if (missing)
    return new Map(implementations.map(implementation => [implementation.name, [{ error: missing }]]))
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < implementations.length; i++) {
      const implementation = implementations[(i + round) % implementations.length]
      const taken = samples.get(implementation.name)
      progress.step(implementation, round, rounds)
      taken.push(
        isHopeless(taken) ? { error: 'not tried again' } : await sample(workload, implementation, how),
      )
    }
  }
  return samples
}

// An implementation that failed twice, or took too long once, is not measured in the remaining rounds.
const isHopeless = taken => taken.some(({ late }) => late) || taken.filter(({ error }) => error).length > 1

// A quick run measures all implementations for the workloads of the picture, and only ours and the floor for the others.
function takesPart(implementation, workload, { quick }) {
  if (workload.implementations && !workload.implementations.includes(implementation.name)) return false
  return !quick || workload.essential || implementation.kind === 'floor' || implementation.name === OURS
}

async function sample(workload, implementation, how) {
  const group = await ProcessGroup.open(implementation)
  const patience = how.quick ? QUICK_LIMIT : (workload.limit ?? LIMIT)
  let timer
  try {
    const late = new Promise(resolve => {
      timer = setTimeout(resolve, patience, { error: `not done in ${patience / 1000} s`, late: true })
    })
    const measured = Promise.resolve(workload.measure(group, how))
    measured.catch(() => {}) // it is stopped if it is late, and then fails
    return await Promise.race([measured, late, group.failure])
  } catch (error) {
    return { error: error.message }
  } finally {
    clearTimeout(timer)
    await group.stop()
  }
}

function tabulate({ name, title, columns, axis, unit }, samples) {
  const [main] = columns
  const table = { name, title, columns, axis, unit, implementations: {} }
  const ours = samples.get(OURS)
  for (const [implementation, taken] of samples) {
    const good = taken.filter(one => !one.error)
    const row = { figures: {}, samples: taken }
    table.implementations[implementation] = row
    if (taken.length === 0) continue // the implementation does not support this workload
    if (good.length === 0) {
      row.missing = taken[0].error
      continue
    }
    for (const { key } of columns) {
      const values = good.map(one => one[key]).filter(value => Number.isFinite(value))
      if (values.length > 0) row.figures[key] = summary(values)
    }
    const ratios = taken
      .map((theirs, round) => ratio(main, ours?.[round]?.[main.key], theirs[main.key]))
      .filter(Number.isFinite)
    if (implementation !== OURS && ratios.length > 0) row.ratio = summary(ratios)
    const points = good.filter(one => one.points)
    if (points.length > 0) {
      row.points = points[0].points.map(([x], i) => [x, median(points.map(one => one.points[i][1]))])
    }
  }
  return table
}

// How many times better ipcio is, within one round.
const ratio = ({ better }, ours, theirs) => (better === 'less' ? theirs / ours : ours / theirs)

function usable(implementation) {
  const why = implementation.available()
  if (why) process.stdout.write(`${implementation.label} is left out: ${why}\n`)
  return !why
}

module.exports = { measureAll }
