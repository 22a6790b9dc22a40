import type { ReadHash } from './format.ts'
import { storedAs } from './key-derivation.ts'

/** A hash of one family inside the envelope of another, under whose name it is recorded. */
export function enveloped(inner: ReadHash, scheme: string, written: (inner: string) => string): ReadHash {
  return { ...inner, scheme, decoy: storedAs(written(inner.decoy.encoded ?? ''), scheme) }
}
