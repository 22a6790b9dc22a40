import type { Defect, StoredHash } from '../domain.ts'
import type { Classified } from '../hashes/classify.ts'
import type { Confidence } from '../hashes/detect.ts'
import { detect } from '../hashes/index.ts'

/** What says which scheme a row has: its own word, or the stored string and how surely. */
export type Told = Confidence | 'by hash_scheme'

/** Without a hash, or with one of no known shape, there is nothing to tell. */
const NOTHING_TO_TELL: ReadonlySet<Defect> = new Set(['missing', 'locked-marker', 'unrecognised'])

export function toldBy({ scheme, encoded }: StoredHash, classified: Classified): Told | null {
  if (!classified.usable && NOTHING_TO_TELL.has(classified.defect)) return null
  return (scheme ?? '').trim() === '' ? detect(encoded ?? '').confidence : 'by hash_scheme'
}
