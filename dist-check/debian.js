'use strict'

/** Files from Debian packages of other architectures and releases than this machine's, without installing them. */

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

/** The first release with musl 1.2.5, without which no recent Node.js runs on musl. */
const RELEASE = 'trixie'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Unpacks packages, given as `name:architecture`, into `folder`. */
function unpack(names, folder) {
  const work = path.join(folder, '.apt')
  const lists = path.join(work, 'state', 'lists', 'partial')
  for (const made of [lists, path.join(work, 'cache', 'archives', 'partial')]) {
    fs.mkdirSync(made, { recursive: true })
  }
  const architectures = [...new Set(names.map(name => name.split(':')[1]))]
  const sources = path.join(work, 'sources.list')
  const only = architectures.join(',')
  fs.writeFileSync(sources, `deb [arch=${only} signed-by=${KEYRING}] ${site()} ${RELEASE} main\n`)
  const settings = [
    `Dir::State=${path.join(work, 'state')}`,
    `Dir::Cache=${path.join(work, 'cache')}`,
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=/dev/null',
    'Dir::State::status=/dev/null',
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    ...architectures.map(architecture => `APT::Architectures::=${architecture}`),
  ].flatMap(setting => ['-o', setting])
  apt([...settings, 'update'], work)
  apt([...settings, 'download', ...names], work)
  for (const file of fs.readdirSync(work).filter(name => name.endsWith('.deb'))) {
    execFileSync('dpkg', ['-x', path.join(work, file), folder])
  }
  fs.rmSync(work, { recursive: true })
  // The packages rely on it.
  if (!fs.existsSync(path.join(folder, 'lib'))) fs.symlinkSync('usr/lib', path.join(folder, 'lib'))
}

module.exports = { unpack }

/** The mirror that this machine uses. */
function site() {
  const targets = execFileSync(
    'apt-get',
    ['indextargets', '--format', '$(LABEL) $(SITE)', 'Created-By: Packages'],
    { encoding: 'utf8' },
  )
  const found = /^Debian (\S+)$/m.exec(targets)?.[1]
  if (!found)
    throw new Error('this machine has no Debian to take packages from: run `apt-get update` on a Debian')
  return found
}

function apt(args, cwd) {
  execFileSync('apt-get', ['-qq', ...args], { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}
