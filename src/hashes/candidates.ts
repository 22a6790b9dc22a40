import type { StoredHash } from '../domain.ts'
import { affordable, ceilings } from './ceilings.ts'
import { digestOfAny } from './compared.ts'
import type { Candidates, HashContext } from './context.ts'
import type { ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { matchesPassword } from './password-forms.ts'
import { portablyAs } from './portable-form.ts'

/** What a hash of several candidate schemes is recorded as. */
export const CANDIDATES = 'candidates'

/** The schemes that the operator lists for the cohort of this row. */
export function candidatesOf(
  { cohort = 'default' }: StoredHash,
  candidates: Candidates | undefined,
): readonly string[] | undefined {
  return candidates?.get(cohort) ?? candidates?.get('*')
}

/** What a row may be checked as: what it says, or the candidates of its cohort. The operator's names as their recipes. */
export function schemesOf(stored: StoredHash, { recipes, candidates }: HashContext): readonly string[] {
  const declared = stored.scheme?.trim() ?? ''
  const schemes = declared === '' ? (candidatesOf(stored, candidates) ?? []) : [declared]
  return schemes.map((scheme) => recipes.get(scheme.toLowerCase()) ?? scheme)
}

/** One hash that matches when it does under any of these schemes. Those that cannot read the row are left out. */
export function readCandidates(
  schemes: readonly string[],
  stored: StoredHash,
  read: (stored: StoredHash) => ReadHash,
): ReadHash {
  const hashes = schemes.flatMap((scheme) => readOrNothing({ ...stored, scheme }, read))
  if (hashes.length === 0)
    throw new HashError('ambiguous', 'no candidate scheme of the cohort can read this digest')
  const [only, ...others] = hashes
  const millis = hashes.reduce((sum, hash) => sum + hash.millis, 0)
  affordable(millis, ceilings.check.millis, 'the milliseconds of the candidates of a cohort')
  // One after the other, so never more than the greatest.
  const memory = Math.max(...hashes.map((hash) => hash.memory ?? 0))
  const native = hashes.find((hash) => hash.native)?.native
  const matches = async (password: Uint8Array) => {
    let found = false
    // Every one of them, so that the time does not tell which.
    for (const hash of hashes) if (await matchesPassword(hash, password)) found = true
    return found
  }
  return {
    scheme: CANDIDATES,
    millis,
    // The salt stays, because it decides which schemes can read the row.
    decoy: { ...stored, encoded: decoyDigest(stored.encoded ?? ''), login: '', id: '' },
    ...(native && { native }),
    ...(memory > 0 && { memory }),
    nulIsData: true,
    matches,
    // A NUL is data here only if it is for all of them.
    ...(hashes.every((hash) => hash.nulIsData) && digestOfAny(hashes, matches)),
    // Of several nobody knows which it is.
    ...(only !== undefined && others.length === 0 && portablyAs(only, matches)),
  }
}

function readOrNothing(stored: StoredHash, read: (stored: StoredHash) => ReadHash): readonly ReadHash[] {
  try {
    return [read(stored)]
  } catch (error) {
    if (error instanceof HashError) return []
    throw error
  }
}

/** A digest of the same length in the same digits. */
function decoyDigest(encoded: string): string {
  const [, prefix = '', digits] = /^(0x)?([0-9a-f]+)$/i.exec(encoded) ?? []
  if (digits !== undefined) return prefix + '5a'.repeat(digits.length / 2)
  const text = Buffer.alloc(Buffer.from(encoded, 'base64').length, 'Z').toString('base64')
  return text.slice(0, encoded.length)
}
