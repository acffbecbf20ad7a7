'use strict'

/** The programs that install and run the packages. They come from packages, and not from this machine. */

const fs = require('node:fs')
const path = require('node:path')

const own = path.join(__dirname, 'node_modules')
const others = path.join(__dirname, 'full', 'node_modules')

/** Versions of Node.js, including the oldest and the newest supported ones. */
const NODES = [20, 22, 24, 26]

const tools = {
  npm: version => path.join(others, `npm-${version}`, 'bin', 'npm-cli.js'),
  pnpm: path.join(others, '@pnpm', 'exe.linux-x64', 'pnpm'),
  yarn: path.join(others, 'yarn', 'bin', 'yarn.js'),
  berry: path.join(others, '@yarnpkg', 'cli-dist', 'bin', 'yarn.js'),
  bun: path.join(others, '@oven', 'bun-linux-x64', 'bin', 'bun'),
  deno: path.join(others, '@deno', 'linux-x64-glibc', 'deno'),
  node: version => path.join(others, `node-${version}`, 'bin', 'node'),
  nodeForArm: path.join(others, 'node-arm64', 'bin', 'node'),
  verdaccio: path.join(others, 'verdaccio', 'bin', 'verdaccio'),
  ncc: path.join(own, '@vercel', 'ncc', 'dist', 'ncc', 'cli.js'),
  esbuild: path.join(own, 'esbuild', 'bin', 'esbuild'),
  webpack: path.join(others, 'webpack-cli', 'bin', 'cli.js'),
  nodeLoader: path.join(others, 'node-loader'),
  rolldown: path.join(others, 'rolldown', 'bin', 'cli.mjs'),
}

/** The version in a package's package.json. */
function versionOf(name) {
  const folder = [own, others].map(modules => path.join(modules, name)).find(fs.existsSync)
  return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).version
}

module.exports = { tools, versionOf, NODES }
