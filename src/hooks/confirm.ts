import type { Confirmation } from '../domain.ts'
import { lookupName } from '../input.ts'

export type ConfirmationResult = 'confirmed' | 'repeated' | 'not-stored' | 'unknown'

export interface ConfirmDeps {
  /** Durable when it resolves; answers in the order of the notices. */
  readonly confirm: (
    notices: readonly (Confirmation & { name: string })[],
  ) => Promise<readonly ConfirmationResult[]>
}

/** How many notices one statement takes; the database refuses more than 100. */
const MOST_AT_ONCE = 100

/** A provider's notices become ledger entries. Those about nobody in the copy are counted as unknown. */
export async function confirm(
  notices: readonly Confirmation[],
  deps: ConfirmDeps,
): Promise<Record<ConfirmationResult, number>> {
  const tally = { confirmed: 0, repeated: 0, 'not-stored': 0, unknown: 0 }
  const named = notices.flatMap((notice) => {
    const name = lookupName(notice.login)
    return name === null || !/^[\x20-\x7e]{1,256}$/.test(notice.eventId) ? [] : [{ ...notice, name }]
  })
  tally.unknown += notices.length - named.length
  for (let from = 0; from < named.length; from += MOST_AT_ONCE) {
    for (const result of await deps.confirm(named.slice(from, from + MOST_AT_ONCE))) tally[result]++
  }
  return tally
}
