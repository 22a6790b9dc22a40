import { expect, test } from 'vitest'
import { openings, type Start } from '../../src/seal/openings.ts'

function opened(start: Partial<Start>): readonly string[] {
  const found = openings({ options: [], env: {}, debuggable: false, ...start })
  return found.map((sentence) => sentence.split(' ', 1)[0] ?? '')
}

test.for([
  ['--inspect'],
  ['--inspect-brk=0.0.0.0:9229'],
  ['--inspect_port=0'],
  ['--experimental-network-inspection'],
  ['--heapsnapshot-signal=SIGUSR2'],
  ['--heapsnapshot-near-heap-limit=3'],
  ['--heap-prof'],
  ['--cpu-prof'],
  ['--prof'],
  ['--perf-basic-prof'],
  ['--report-on-signal'],
  ['--report_on_fatalerror'],
  ['--report-uncaught-exception'],
  ['--abort-on-uncaught-exception'],
  ['--trace-warnings'],
  ['--trace-event-categories=v8'],
  ['--tls-keylog=/tmp/keys'],
  ['--insecure-http-parser'],
  ['--require', './agent.js'],
  ['-r', './agent.js'],
  ['--import=./agent.js'],
  ['--experimental-loader', 'x'],
  ['--experimental-default-config-file'],
  ['--unhandled-rejections=none'],
])('%s opens the process, on the command line and in NODE_OPTIONS', ([option = '', ...more]) => {
  const name = option.replace(/=.*/, '').replaceAll('_', '-')
  expect(opened({ options: [option, ...more] })).toEqual([name])
  const NODE_OPTIONS = `--max-old-space-size=200 "${option}" ${more.join(' ')}`
  expect(opened({ env: { NODE_OPTIONS } })).toEqual([name])
})

test.for([
  ['--max-old-space-size=192'],
  ['--max-semi-space-size=8'],
  ['--disable-proto=delete'],
  ['--disable-sigusr1'],
  ['--report-exclude-env'],
  ['--report-directory=/tmp'],
  ['--permission', '--allow-fs-read=/app'],
  ['--secure-heap=65536'],
  ['--max-http-header-size=8192'],
  ['--enable-source-maps'],
  ['--expose-gc'],
  ['--env-file=settings'],
  ['--use-openssl-ca'],
])('%s does not', (options) => {
  expect(opened({ options })).toEqual([])
  expect(opened({ env: { NODE_OPTIONS: options.join(' ') } })).toEqual([])
})

test.for([
  { name: 'NODE_DEBUG', value: 'http', opens: true },
  { name: 'NODE_DEBUG', value: '', opens: false },
  { name: 'NODE_DEBUG_NATIVE', value: 'http', opens: true },
  { name: 'NODE_V8_COVERAGE', value: '/tmp/coverage', opens: true },
  { name: 'SSLKEYLOGFILE', value: '/tmp/keys', opens: true },
  { name: 'NODE_TLS_REJECT_UNAUTHORIZED', value: '0', opens: true },
  { name: 'NODE_TLS_REJECT_UNAUTHORIZED', value: '1', opens: false },
  // An authority more leaves every check in place.
  { name: 'NODE_EXTRA_CA_CERTS', value: '/etc/ssl/bank.pem', opens: false },
  { name: 'DEBUG', value: '*', opens: false },
])('$name=$value: $opens', ({ name, value, opens }) => {
  expect(opened({ env: { [name]: value } })).toEqual(opens ? [name] : [])
})

test('a debugger that is open is told, however it was opened, and no value is', () => {
  expect(openings({ options: [], env: {}, debuggable: true })).toEqual(['a debugger is open'])
  const all = openings({
    options: ['--inspect=secret-host:1', '--inspect=other:2'],
    env: { NODE_DEBUG: 'secret-module' },
    debuggable: true,
  })
  expect(all).toEqual(['--inspect opens a debugger, which shows all memory', 'NODE_DEBUG prints traffic'])
})
