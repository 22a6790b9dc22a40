#!/usr/bin/env node
import { url as debuggerUrl } from 'node:inspector'
import { run } from './cli.ts'
import { endOnOtherCrash } from './seal/crash.ts'
import { sealMemory } from './seal/memory.ts'

sealMemory()
endOnOtherCrash((code) => process.stderr.write(`carryover: failed (${code})\n`))
const stop = new AbortController()
// Who asks a second time does not want to wait for what is in flight.
const ask = () => (stop.signal.aborted ? process.exit(1) : stop.abort())
process.on('SIGINT', ask)
process.on('SIGTERM', ask)
// A closed pipe (`carryover counts | head`) is no error.
process.stdout.on('error', () => process.exit(0))

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  stdin: process.stdin,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal: process.stderr.isTTY === true,
  stop: stop.signal,
  node: { options: process.execArgv, debuggable: debuggerUrl() !== undefined },
})
