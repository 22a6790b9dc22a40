import type { Defect, StoredHash } from '../domain.ts'
import type { HashContext } from './context.ts'
import { NO_CONTEXT } from './context.ts'
import { HashError, type ReadHash } from './format.ts'
import { detect, readHash } from './index.ts'

/** What a stored hash counts as: in the ledger, in `/counts` and in the record of outcomes. */
export type Classified =
  | { readonly usable: true; readonly scheme: string; readonly read: ReadHash }
  | { readonly usable: false; readonly scheme: string; readonly defect: Defect }

/** Never throws. A hash that cannot be used counts under its format's name where its shape tells it, else `unknown`. */
export function classify(stored: StoredHash, context: HashContext = NO_CONTEXT): Classified {
  try {
    const read = readHash(stored, context)
    return { usable: true, scheme: read.scheme, read }
  } catch (error) {
    if (!(error instanceof HashError)) throw error
    const format = stored.encoded === null ? null : detect(stored.encoded).format
    return { usable: false, scheme: format ?? 'unknown', defect: error.defect }
  }
}
