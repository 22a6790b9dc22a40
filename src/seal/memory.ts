import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Keeps memory out of files: nothing of it goes into a core dump, no report is written, and no signal opens a debugger.
 * False: a crash may leave memory in a core dump, because neither the kernel's filter could be set nor a limit is known
 * that forbids the dump.
 */
export function sealMemory(): boolean {
  // Node's own answer to this signal is to open a debugger. `--disable-sigusr1` closes the moment before this line.
  if (process.listenerCount('SIGUSR1') === 0) process.on('SIGUSR1', () => {})
  Object.assign(process.report, {
    reportOnFatalError: false,
    reportOnSignal: false,
    reportOnUncaughtException: false,
    // Known to Node 22 and later.
    ...('excludeEnv' in process.report && { excludeEnv: true }),
  })
  return emptyCoreDumps() || noCoreDumps()
}

const FILTER = '/proc/self/coredump_filter'

/**
 * Node cannot set RLIMIT_CORE, but a process may choose which memory its dump holds: none. Counts for all threads and for
 * programs that it starts, and for dumps that are piped to a program, which no limit forbids. See core(5).
 */
function emptyCoreDumps(): boolean {
  try {
    writeFileSync(FILTER, '0x0')
    return Number.parseInt(readFileSync(FILTER, 'latin1'), 16) === 0
  } catch {
    return false
  }
}

function noCoreDumps(): boolean {
  try {
    const [, soft] = /^Max core file size\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? []
    return soft === '0' && !readFileSync('/proc/sys/kernel/core_pattern', 'latin1').startsWith('|')
  } catch {
    return false
  }
}
