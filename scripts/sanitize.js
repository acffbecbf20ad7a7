'use strict'

/**
 * `npm run sanitize`: builds the addon with AddressSanitizer, beside the usual one, and runs the tests of its unsafe
 * code with it. Needs a nightly Rust toolchain and gcc's libasan, on Linux. Arguments are those of
 * `__test__/run.js`.
 */

const fs = require('node:fs')
const path = require('node:path')
const { root, fileName } = require('../lib/binary.js')
const { run, outputOf, fail } = require('./run.js')

/** The tests of unsafe code: payloads, the drivers, batches, and the end of environments. */
const TESTS = ['payload', 'drivers', 'outgoing', 'limits', 'encoding', 'handlers', 'teardown', 'exit']

/** What the package needs at run time, and its tests. */
const FILES = ['index.js', 'index.d.ts', 'package.json', 'lib', '__test__', 'docs', 'examples']

const OPTIONS = [
  // A leak checker cannot follow the heap of V8.
  'detect_leaks=0',
  // V8 handles its own traps.
  'allow_user_segv_handler=1',
  'use_sigaltstack=0',
  'exitcode=99',
]

const folder = path.join(root, 'target', 'sanitize')
const tree = path.join(folder, 'tree')
const reports = path.join(folder, 'reports')

const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const triple = `${architecture}-unknown-linux-gnu`
const runtime = outputOf('gcc', ['-print-file-name=libasan.so'])?.trim()
if (process.platform !== 'linux' || !runtime || !path.isAbsolute(runtime)) {
  fail('AddressSanitizer is not here: use Linux with glibc, and install gcc with its libasan.')
}
if (outputOf('cargo', ['+nightly', '--version']) === null) {
  fail('AddressSanitizer needs a nightly toolchain: `rustup toolchain install nightly`.')
}

run(
  'cargo',
  ['+nightly', 'build', '--release', '--package', 'ipcio-node', '--target', triple, '--target-dir', folder],
  {
    env: {
      ...process.env,
      // It only knows the system's allocator.
      RUSTFLAGS: '-Zsanitizer=address --cfg ipcio_system_allocator',
      CARGO_PROFILE_RELEASE_LTO: 'off',
      CARGO_PROFILE_RELEASE_STRIP: 'none',
      CARGO_PROFILE_RELEASE_DEBUG: '1',
      CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS: 'true',
    },
  },
)

fs.rmSync(tree, { recursive: true, force: true })
fs.rmSync(reports, { recursive: true, force: true })
fs.mkdirSync(reports, { recursive: true })
for (const file of FILES) fs.cpSync(path.join(root, file), path.join(tree, file), { recursive: true })
fs.copyFileSync(path.join(folder, triple, 'release', 'libipcio_node.so'), path.join(tree, fileName()))

const tests = process.argv.length > 2 ? process.argv.slice(2) : TESTS
process.on('exit', () => {
  const found = fs.readdirSync(reports)
  for (const report of found) process.stderr.write(fs.readFileSync(path.join(reports, report), 'utf8'))
  if (found.length > 0) process.exitCode = 1
  else console.log('AddressSanitizer has nothing to report.')
})
run(process.execPath, ['__test__/run.js', ...tests], {
  cwd: tree,
  env: {
    ...process.env,
    LD_PRELOAD: runtime,
    ASAN_OPTIONS: [...OPTIONS, `log_path=${path.join(reports, 'asan')}`].join(':'),
  },
})
