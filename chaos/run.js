#!/usr/bin/env node

'use strict'

const { parseArgs } = require('node:util')

const { campaigns } = require('./campaigns')
const { Processes } = require('./processes')
const { Random } = require('./random')
const { table } = require('./report')
const { Verdict } = require('./verdict')

/** The amounts, in full and with --short. */
const FULL = {
  clients: 6,
  messages: 1_000_000,
  deliveries: 50_000,
  kills: 50,
  stops: 50,
  workers: 1_000,
  exits: 1_000,
  connects: 10_000,
  timeouts: 100_000,
  honest: 50,
}
const SHORT = {
  clients: 4,
  messages: 10_000,
  deliveries: 500,
  kills: 3,
  stops: 5,
  workers: 20,
  exits: 12,
  connects: 200,
  timeouts: 5_000,
  honest: 10,
}

const HELP = `npm run chaos -- [--short] [--only campaign,…] [--driver loop|thread] [--seed n] [--messages n …]
  --short    a little of everything, in less than a minute
  --only     only these: ${campaigns.map(({ name }) => name).join(', ')}
  --driver   with this driver only
  --attack   only attacks whose name contains this
  --seed     the same choices again; the scheduling of processes is not repeated
  ${Object.entries(FULL)
    .map(([key, value]) => `--${key} ${value}`)
    .join(' ')}
             the amounts
`

main().catch(error => {
  const isUsage = error instanceof RangeError || error.code?.startsWith('ERR_PARSE_ARGS')
  process.stderr.write(`${isUsage ? error.message : error.stack}\n`)
  process.exitCode = 1
})

async function main() {
  const options = parse()
  if (options.help) return void process.stdout.write(HELP)
  process.stdout.write(`seed ${options.seed}\n`)
  const rows = []
  for (const campaign of options.chosen) {
    for (const driver of options.drivers) rows.push(await lead(campaign, driver, options))
  }
  process.stdout.write(`\n${table(rows)}`)
  if (rows.some(({ faults }) => faults.length > 0)) process.exitCode = 1
}

async function lead(campaign, driver, { seed, amounts }) {
  process.stdout.write(`\n${campaign.name}, ${driver}: ${campaign.title}\n`)
  const verdict = new Verdict()
  const processes = new Processes({ driver, random: new Random(seed) })
  const dispose = () => processes.dispose()
  process.once('exit', dispose)
  const start = performance.now()
  try {
    await campaign.run(processes, verdict, amounts)
    verdict.leftovers(processes)
  } catch (error) {
    verdict.fault(error.stack)
    verdict.faults.push(...processes.faults)
  } finally {
    dispose()
    process.off('exit', dispose)
  }
  const seconds = Math.round((performance.now() - start) / 100) / 10
  const { figures, faults } = verdict
  process.stdout.write(`  ${JSON.stringify(figures)}\n`)
  for (const fault of faults) process.stdout.write(`  ${fault}\n`)
  return {
    campaign: campaign.name,
    driver,
    seconds,
    ...figures,
    faults,
    verdict: faults.length ? 'FAILED' : 'ok',
  }
}

function parse() {
  const amountOptions = Object.fromEntries(Object.keys(FULL).map(key => [key, { type: 'string' }]))
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string' },
      driver: { type: 'string' },
      seed: { type: 'string' },
      attack: { type: 'string' },
      help: { type: 'boolean', default: false },
      ...amountOptions,
    },
  })
  const amounts = { ...(values.short ? SHORT : FULL), isShort: values.short, attack: values.attack }
  for (const key of Object.keys(FULL)) if (values[key]) amounts[key] = Number(values[key])
  amounts.perDelivery = Math.max(1, Math.round(amounts.messages / amounts.deliveries))
  return {
    help: values.help,
    amounts,
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(values.seed),
    drivers: values.driver ? [values.driver] : ['loop', 'thread'],
    chosen: values.only ? values.only.split(',').map(find) : campaigns,
  }
}

function find(name) {
  const found = campaigns.find(campaign => campaign.name === name)
  if (!found)
    throw new RangeError(`no campaign "${name}": there is ${campaigns.map(one => one.name).join(', ')}`)
  return found
}
