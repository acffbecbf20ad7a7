#!/usr/bin/env node

'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')

const { installDependencies } = require('../scripts/dependencies.js')

const HELP = `node bench/run.js [--quick] [--only workload,…] [--implementations name,…] [--before folder]
                  [--rounds n] [--list] [--redraw]
  --quick            short samples, one round: shows that everything works, not how fast it is
  --only             measures only these workloads
  --implementations  measures only these implementations
  --before           compares with another checkout of ipcio, which must be built: before and before-again
  --rounds           how often each implementation is measured (5)
  --list             prints the names of workloads and implementations
  --redraw           measures nothing, and draws the tables and pictures from bench/results.json

A complete run writes bench/results.json, docs/benchmarks.svg and docs/flat-cost.svg. Any other run writes
the same files into bench/last/.
`

const HERE = __dirname
const LAST = path.join(HERE, 'last')

main().catch(error => {
  const isUsage = error instanceof RangeError || error.code?.startsWith('ERR_PARSE_ARGS')
  process.stderr.write(`${isUsage ? error.message : error.stack}\n`)
  process.exitCode = 1
})

async function main() {
  const options = parse()
  if (options.help) return void process.stdout.write(HELP)
  if (options.redraw) return redraw()
  installDependencies(HERE)
  // The measured processes read it too.
  if (options.before) process.env.IPCIO_BEFORE = path.resolve(options.before)
  const { implementations, byName } = require('./implementations')
  const { workloads } = require('./workloads')
  if (options.list) return list(workloads, implementations)
  const chosen = {
    workloads: options.only ? options.only.map(name => find(workloads, name)) : workloads,
    implementations: options.implementations ? options.implementations.map(byName) : implementations,
  }
  const complete = !options.quick && !options.only && !options.implementations && !options.before
  const { measureAll } = require('./measure')
  const results = await measureAll(chosen, options, keep)
  write(results, complete ? path.join(HERE, '..', 'docs') : LAST, complete ? HERE : LAST)
}

function parse() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      implementations: { type: 'string' },
      before: { type: 'string' },
      rounds: { type: 'string' },
      list: { type: 'boolean', default: false },
      redraw: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const names = text => text?.split(',').filter(Boolean)
  return {
    ...values,
    only: names(values.only),
    implementations: names(values.implementations),
    rounds: values.rounds ? Number(values.rounds) : undefined,
  }
}

function find(workloads, name) {
  const found = workloads.find(one => one.name === name)
  if (!found)
    throw new RangeError(`no workload "${name}": there are ${workloads.map(one => one.name).join(', ')}`)
  return found
}

function list(workloads, implementations) {
  for (const { name, title } of workloads) process.stdout.write(`${name.padEnd(18)} ${title}\n`)
  process.stdout.write('\n')
  for (const { name, label } of implementations) process.stdout.write(`${name.padEnd(18)} ${label}\n`)
}

function redraw() {
  const results = JSON.parse(fs.readFileSync(path.join(HERE, 'results.json'), 'utf8'))
  const report = require('./report')
  for (const table of Object.values(results.workloads)) process.stdout.write(report.table(table, results))
  process.stdout.write(report.ending(results))
  write(results, path.join(HERE, '..', 'docs'))
}

function keep(results) {
  fs.mkdirSync(LAST, { recursive: true })
  fs.writeFileSync(path.join(LAST, 'so-far.json'), JSON.stringify(results))
}

function write(results, pictures, figures) {
  const { bars } = require('./chart')
  const { plots } = require('./plot')
  fs.mkdirSync(pictures, { recursive: true })
  if (figures) save(path.join(figures, 'results.json'), `${JSON.stringify(results, null, 1)}\n`)
  save(path.join(pictures, 'benchmarks.svg'), bars(results))
  save(path.join(pictures, 'flat-cost.svg'), plots(results))
}

function save(file, content) {
  if (!content) return
  fs.writeFileSync(file, content)
  process.stdout.write(`${path.relative(process.cwd(), file)}\n`)
}
