import { readFileSync } from 'node:fs'

/** What a process has in memory, in bytes, as Linux counts it. */
export function residentBytes(pid: number | undefined): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) * 1_024
}
