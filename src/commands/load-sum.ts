import type { Loaded } from '../load/load.ts'

/** First refusals that are told, of all parts together. */
const SHOWN = 20

/** What two parts of a load did together. */
export function addLoaded(one: Loaded | undefined, other: Loaded): Loaded {
  if (one === undefined) return other
  const [a, b] = [one.summary, other.summary]
  return {
    digest: null,
    refusedFiles: [...one.refusedFiles, ...other.refusedFiles],
    summary: {
      rows: a.rows + b.rows,
      added: a.added + b.added,
      changed: a.changed + b.changed,
      unchanged: a.unchanged + b.unchanged,
      deleted: a.deleted + b.deleted,
      keptPurged: a.keptPurged + b.keptPurged,
      changedAfterMigration: a.changedAfterMigration + b.changedAfterMigration,
      missing: a.missing + b.missing,
      missingKept: a.missingKept || b.missingKept,
      refused: a.refused + b.refused,
      unusable: sumOf(a.unusable, b.unusable),
      refusedByRule: sumOf(a.refusedByRule, b.refusedByRule),
      firstRefused: [...a.firstRefused, ...b.firstRefused].slice(0, SHOWN),
      refusedPath: a.refusedPath ?? b.refusedPath,
      reasonsPath: a.reasonsPath ?? b.reasonsPath,
    },
  }
}

function sumOf<Name extends string>(
  some: Readonly<Partial<Record<Name, number>>>,
  more: Readonly<Partial<Record<Name, number>>>,
): Record<string, number> {
  const sum = new Map<string, number>()
  for (const [name, count] of [
    ...Object.entries<number | undefined>(some),
    ...Object.entries<number | undefined>(more),
  ])
    sum.set(name, (sum.get(name) ?? 0) + (count ?? 0))
  return Object.fromEntries(sum)
}
