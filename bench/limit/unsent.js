#!/usr/bin/env node

'use strict'

// The cost of one-way messages before anything is sent: the objects, their JSON, and a promise for each, awaited in
// the end as in workloads/send.js. No library with such promises can be faster.
//   node --expose-gc unsent.js MESSAGES      messages a second

const { now, nextTurn } = require('../clock')
const { small } = require('../workloads/message')

const PER_TURN = 1000

async function make(count) {
  const promises = []
  let size = 0
  const start = now()
  for (let made = 0; made < count; ) {
    const resolves = []
    for (const end = Math.min(made + PER_TURN, count); made < end; made++) {
      size += JSON.stringify(small(made)).length
      promises.push(new Promise(resolve => resolves.push(resolve)))
    }
    await nextTurn()
    for (const resolve of resolves) resolve()
  }
  for (const promise of promises) await promise
  return { size, rate: (count / (now() - start)) * 1000 }
}

async function main() {
  const count = Number(process.argv[2])
  await make(count / 10) // compiled by then
  process.stdout.write(JSON.stringify(await make(count)))
}

main()
