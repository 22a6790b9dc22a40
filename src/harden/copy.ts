import type { HardenedChange, HardeningOfCopy } from '../db/harden.ts'
import type { StoredHash } from '../domain.ts'
import type { HardenedRow, Left } from '../hashes/hardened-row.ts'

export interface HardenCopyDeps {
  /** The copy, which is not written when it is only asked what would be done. */
  readonly copy: HardeningOfCopy
  readonly dry: boolean
  harden(rows: readonly StoredHash[]): Promise<readonly HardenedRow[]>
  /** Told after every batch how many rows have been looked at, and how many of them wrapped. */
  progress(rows: number, wrapped: number): void
  readonly stop: AbortSignal
}

/** What was done with the rows of a scheme: the legacy scheme of those that are wrapped now, and else what they count as. */
export type SchemeSummary = { readonly scheme: string } & Readonly<Record<Done, number>>
type Done = 'wrapped' | 'resealed' | Left | 'changed-meanwhile'

export interface HardenSummary {
  readonly rows: number
  /** Over all schemes. */
  readonly total: Readonly<Record<Done, number>>
  readonly schemes: readonly SchemeSummary[]
  /** False: asked to stop. What was done so far holds. */
  readonly complete: boolean
}

const NONE: Readonly<Record<Done, number>> = {
  wrapped: 0,
  resealed: 0,
  hardened: 0,
  strong: 0,
  'not-possible': 0,
  unusable: 0,
  'changed-meanwhile': 0,
}

/** Rows of a batch: some seconds of Argon2 on one core, which is what an interruption may cost. */
const BATCH = 256

/**
 * Hardens every weak row of the copy, a batch in one transaction, in the order of the ids. It may be stopped at any moment
 * and be started again: what is hardened is skipped.
 */
export async function hardenCopy(deps: HardenCopyDeps): Promise<HardenSummary> {
  const tally = createTally()
  for await (const rows of deps.copy.rows(BATCH)) {
    if (deps.stop.aborted) return tally.summary(false)
    const hardened = await deps.harden(rows)
    const changes = rows.flatMap((row, at) => changeOf(row, hardened[at]))
    const written = deps.dry ? new Set(changes.map(({ id }) => id)) : await deps.copy.write(changes)
    rows.forEach((row, at) => {
      const made = hardened[at]
      if (made) tally.add(made, written.has(row.id))
    })
    deps.progress(tally.rows(), tally.wrapped())
  }
  return tally.summary(true)
}

function changeOf(row: StoredHash, made: HardenedRow | undefined): HardenedChange[] {
  if (made === undefined || !('encoded' in made)) return []
  return [{ id: row.id, before: row, encoded: made.encoded, scheme: made.scheme }]
}

function createTally() {
  const schemes = new Map<string, Record<Done, number>>()
  const total = { ...NONE }
  let rows = 0
  return {
    rows: () => rows,
    wrapped: () => total.wrapped,
    add: (made: HardenedRow, written: boolean) => {
      const done = 'encoded' in made && !written ? 'changed-meanwhile' : made.kind
      const scheme = made.kind === 'wrapped' ? made.from : made.scheme
      const known = schemes.get(scheme) ?? { ...NONE }
      known[done]++
      schemes.set(scheme, known)
      total[done]++
      rows++
    },
    summary: (complete: boolean): HardenSummary => ({
      rows,
      total,
      schemes: [...schemes]
        .map(([scheme, counts]) => ({ scheme, ...counts }))
        .sort((one, other) => (one.scheme < other.scheme ? -1 : 1)),
      complete,
    }),
  }
}
