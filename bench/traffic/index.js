'use strict'

// All traffic, in the order of the tables. Each is
//   name, title   for the command line and the tables
//   feature       what a peer must have to be measured (see peers/index.js)
//   peers         the only ones it makes sense for, where that is not all
//   columns       the figures of a sample; the first is the one that ratios and spread are shown of
//   essential     everybody takes part in a quick run too
//   slow          a quick run leaves it out
//   rounds        how often, where not as often as the rest
//   limit         ms after which a sample counts as not done
//   measure(crew, { places, quick, shared }) -> a sample
// A file's `parts` are what its measure() has the processes of the crew do.
const traffic = [
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
].flatMap(file => file.traffic)

module.exports = { traffic }
