import type { Readable } from 'node:stream'
import type { Start } from '../seal/openings.ts'

/** The outside world as a command sees it: everything that a test can replace. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: Readable & { readonly isTTY?: boolean }
  /** Results. */
  out(text: string): void
  /** Everything else: progress, warnings, errors. */
  err(text: string): void
  /** Whether standard error is a terminal, where a progress line may be rewritten. */
  readonly terminal: boolean
  /** Aborted by SIGINT and SIGTERM. */
  readonly stop: AbortSignal
  /** How Node was started; left out where it is not the program that was. */
  readonly node?: Pick<Start, 'options' | 'debuggable'>
}

/** 0 done, 1 done with problems, 2 not understood. */
export type ExitCode = 0 | 1 | 2

export interface Command {
  readonly name: string
  /** What follows the name, for the usage text. */
  readonly synopsis: string
  /** One line for the list of commands. */
  readonly summary: string
  /** What `carryover NAME --help` adds. */
  readonly help: string
  run(args: readonly string[], io: Io): Promise<ExitCode>
}

/** The command line was not understood, or a setting is wrong or missing: exit code 2. */
export class UsageError extends Error {}
