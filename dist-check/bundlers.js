'use strict'

/** Bundlers, called as docs/installing.md says. Each creates a folder, which is moved away from node_modules and run. */

const fs = require('node:fs')
const path = require('node:path')
const { tools } = require('./tools.js')

const bundlers = { ncc, esbuild, webpack, rolldown, bun, bunCompiled }

module.exports = { bundlers }

function ncc(project) {
  project.node([tools.ncc, 'build', project.add('round-trip.js'), '--out', 'bundle'])
  return runElsewhere(project, 'index.js')
}

function esbuild(project) {
  const options = ['--bundle', '--platform=node', '--loader:.node=copy', '--outdir=bundle']
  project.node([tools.esbuild, project.add('round-trip.js'), ...options])
  return runElsewhere(project, 'round-trip.js')
}

function webpack(project) {
  const config = {
    mode: 'production',
    target: 'node',
    entry: project.add('round-trip.js'),
    output: { path: path.join(project.folder, 'bundle') },
    // With the path of the loader, as it is not installed in the project.
    module: { rules: [{ test: /\.node$/, loader: tools.nodeLoader }] },
  }
  const text = JSON.stringify(config).replace(/"test":\{\}/, 'test: /\\.node$/')
  project.write('webpack.config.js', `module.exports = ${text}\n`)
  project.node([tools.webpack, '--config', 'webpack.config.js'])
  return runElsewhere(project, 'main.js')
}

/** The package with the binary stays outside, and is installed where the bundle runs. */
function rolldown(project) {
  const input = JSON.stringify(project.add('round-trip.js'))
  const output = `{ dir: 'bundle', format: 'cjs' }`
  project.write(
    'rolldown.config.mjs',
    `export default { input: ${input}, platform: 'node', external: [/^@ipcio\\//], output: ${output} }\n`,
  )
  project.node([tools.rolldown, '--config', 'rolldown.config.mjs'])
  const modules = path.join('node_modules', '@ipcio')
  fs.cpSync(path.join(project.folder, modules), path.join(project.folder, 'bundle', modules), {
    recursive: true,
  })
  return runElsewhere(project, 'round-trip.js')
}

function bun(project) {
  project.run(tools.bun, ['build', project.add('round-trip.js'), '--target', 'bun', '--outdir', 'bundle'])
  return runElsewhere(project, 'round-trip.js', tools.bun)
}

function bunCompiled(project) {
  fs.mkdirSync(path.join(project.folder, 'bundle'))
  const options = ['build', '--compile', project.add('round-trip.js'), '--outfile', 'bundle/program']
  project.run(tools.bun, options)
  return runElsewhere(project, 'program', null)
}

/** Runs a bundle with no node_modules nearby, and returns its files. */
function runElsewhere(project, program, runtime = process.execPath) {
  const place = project.path('bundle')
  fs.rmSync(place, { recursive: true, force: true })
  fs.renameSync(path.join(project.folder, 'bundle'), place)
  const file = path.join(place, program)
  const options = { cwd: project.path('home') }
  if (runtime === null) project.works(file, [], options)
  else project.works(runtime, [file], options)
  return fs.readdirSync(place).sort().join(', ')
}
