'use strict'

/** Bundlers, called as docs/installing.md tells. Each makes a folder that is moved away from node_modules and run. */

const fs = require('node:fs')
const path = require('node:path')

const bundlers = { ncc, esbuild }

module.exports = { bundlers, runElsewhere }

function ncc(project) {
  const cli = path.join(__dirname, 'node_modules', '@vercel', 'ncc', 'dist', 'ncc', 'cli.js')
  project.node([cli, 'build', project.add('round-trip.js'), '--out', 'bundled-ncc'])
  return runElsewhere(project, 'bundled-ncc', 'index.js')
}

function esbuild(project) {
  const program = path.join(__dirname, 'node_modules', 'esbuild', 'bin', 'esbuild')
  const options = ['--bundle', '--platform=node', '--loader:.node=copy', '--outdir=bundled-esbuild']
  project.node([program, project.add('round-trip.js'), ...options])
  return runElsewhere(project, 'bundled-esbuild', 'round-trip.js')
}

/** Runs a bundle where no node_modules is near, and tells what is in it. */
function runElsewhere(project, folder, program) {
  const place = project.path(folder)
  fs.rmSync(place, { recursive: true, force: true })
  fs.renameSync(path.join(project.folder, folder), place)
  project.nodeWorks([path.join(place, program)], { cwd: project.path('home') })
  return fs.readdirSync(place, { recursive: true }).sort().join(', ')
}
