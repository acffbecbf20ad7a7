'use strict'

// All workloads, in the order of the tables. Each has
//   name, title       for the command line and the tables
//   feature           what an implementation must support to be measured (see implementations/index.js)
//   implementations   the only ones to measure; all if it is omitted
//   columns           the figures of a sample; the first is the one whose ratios and spread are shown
//   essential         a quick run measures all implementations
//   slow              a quick run omits this workload
//   rounds            the number of rounds, if it differs from the other workloads
//   limit             the time in ms after which a sample has failed
//   measure(group, { places, quick, shared }) -> a sample
// measure() calls the functions in the `parts` of its file in the processes of the group.
const workloads = [
  require('./roundtrip'),
  require('./send'),
  require('./flight'),
  require('./payload'),
  require('./broadcast'),
  require('./crowd'),
  require('./queue'),
  require('./idle'),
  require('./paced'),
  require('./startup'),
  require('./load'),
  require('./fairness'),
  require('./flat'),
].flatMap(file => file.workloads)

module.exports = { workloads }
