#!/usr/bin/env node
import { run } from './cli.ts'

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
})
