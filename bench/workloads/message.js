'use strict'

// The small message, as most messages between programs are.
const small = n => ({ n, user: 'ada', text: 'hello, world', done: false })

// JSON with about `size` bytes: a list of small records.
function records(size) {
  const list = []
  let length = 2
  for (let i = 0; length < size; i++) {
    const record = {
      id: i,
      name: `record ${i}`,
      price: i * 1.25,
      tags: ['red', 'round'],
      sold: i % 3 === 0,
    }
    length += JSON.stringify(record).length + 1
    list.push(record)
  }
  return list
}

module.exports = { small, records }
