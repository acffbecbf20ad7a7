'use strict'

/** All campaigns, in the order in which they run. */
const campaigns = [
  require('./kills'),
  require('./stops'),
  require('./clients'),
  require('./workers'),
  require('./exits'),
  require('./connects'),
  require('./timeouts'),
  require('./hostile'),
]

module.exports = { campaigns }
