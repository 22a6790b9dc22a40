import { StepError } from '../db/step.ts'
import { duration } from '../duration.ts'
import { errorCode } from '../errors.ts'
import { FieldsError } from '../load/columns.ts'
import { NotLinesError } from '../load/lines.ts'
import { type LoadSummary, StoppedError } from '../load/load.ts'
import { sentenceOf } from '../load/refusals.ts'
import { SourceError } from '../load/source-row.ts'
import { type ExitCode, type Io, UsageError } from './command.ts'
import { terminalLine } from './terminal-line.ts'

/**
 * What went wrong, in a sentence of ours.
 * @param committed rows of parts that were committed before
 */
export function explainLoad(error: unknown, committed: number, io: Io): ExitCode {
  if (error instanceof UsageError) throw error
  if (error instanceof FieldsError) throw new UsageError(error.message)
  const left =
    committed === 0
      ? 'nothing was changed'
      : `${committed} rows before that are committed, and the next load goes on after them`
  if (error instanceof StoppedError) io.err(`carryover load: stopped; ${left}\n`)
  else if (error instanceof StepError || error instanceof NotLinesError || error instanceof SourceError)
    io.err(`carryover load: ${error.message}; ${left}\n`)
  else io.err(`carryover load: failed (${errorCode(error)}); ${left}\n`)
  return 1
}

export function tellLoad(
  summary: LoadSummary,
  seconds: number,
  { json, dry }: { readonly json: boolean; readonly dry: boolean },
  io: Io,
): ExitCode {
  const { firstRefused, ...numbers } = summary
  for (const refusal of firstRefused) io.err(`${sentenceOf(refusal)}\n`)
  if (summary.refused > firstRefused.length)
    io.err(`and ${summary.refused - firstRefused.length} more${dry ? '' : `: see ${summary.reasonsPath}`}\n`)
  if (json)
    io.out(
      `${JSON.stringify({ ...(dry && { dryRun: true }), ...numbers, seconds: Number(seconds.toFixed(3)) })}\n`,
    )
  else io.out(`${dry ? 'dry run: nothing was changed\n' : ''}${inWords(summary, seconds)}`)
  return summary.refused > 0 ? 1 : 0
}

function inWords(summary: LoadSummary, seconds: number): string {
  const { rows, added, changed, unchanged, deleted, refused, refusedByRule, unusable, refusedPath } = summary
  const { keptPurged, changedAfterMigration, missing, missingKept } = summary
  const each = (numbers: Readonly<Record<string, number>>) =>
    Object.entries(numbers).map(([name, count]) => `  ${name}  ${count}\n`)
  const defects = Object.values(unusable).reduce((sum, count) => sum + count, 0)
  return [
    `${rows} rows in ${seconds.toFixed(1)} s: ${added} added, ${changed} changed, ${unchanged} unchanged, ${deleted} deleted, ${refused} refused\n`,
    ...(missing > 0 ? [`${missing} of those deleted are not in the source any more\n`] : []),
    ...(missingKept
      ? [
          'nobody was deleted for not being in the source: rows of it could not be read, and may have been theirs\n',
        ]
      : []),
    ...(defects > 0
      ? [`${defects} of those added or changed have a hash that cannot be checked:\n`, ...each(unusable)]
      : []),
    ...(keptPurged > 0 ? [`kept purged: ${keptPurged}, whose hash was removed and stays removed\n`] : []),
    ...(changedAfterMigration > 0
      ? [
          `changed after migration: ${changedAfterMigration}, whose password is another than the one that was migrated\n`,
        ]
      : []),
    ...(refused > 0
      ? [
          refusedPath === null ? 'refused:\n' : `refused, and written to ${refusedPath}:\n`,
          ...each(refusedByRule),
        ]
      : []),
  ].join('')
}

/** How far a load is. */
export function progressLine(io: Io) {
  const line = terminalLine(io)
  return {
    at: ({ rows, bytes, ofBytes }: { rows: number; bytes: number; ofBytes: number }) =>
      line.at(
        (seconds) => `${rows} rows, ${Math.round(rows / seconds)} a second${leftOf(seconds, bytes, ofBytes)}`,
      ),
    clear: line.clear,
  }
}

/** `, 40 %, 2 min left`. Empty where nobody knows how much there is. */
export function leftOf(seconds: number, bytes: number, ofBytes: number): string {
  if (ofBytes <= 0) return ''
  const share = Math.min(1, bytes / ofBytes)
  if (share === 0) return ', 0 %'
  return `, ${Math.floor(100 * share)} %, ${duration((seconds * (1 - share)) / share)} left`
}
