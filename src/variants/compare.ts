import { digests } from '../hashes/recipe-functions.ts'
import type { Account } from './forms.ts'
import { describe, matches, type Read, trialOf, type Variant } from './variant.ts'

/** How one variant does over several accounts. */
export interface Standing {
  readonly variant: Variant
  readonly matched: number
  readonly of: number
}

/** More would be a list that nobody reads. */
const MOST_COMPARED = 24

/**
 * Tries what was found for one account on all of them, best first: what matches most, then what `hash_scheme` can say,
 * then what is nearest to what was declared, and of equals a recipe, and the shortest.
 */
export async function compare(
  accounts: readonly Account[],
  found: readonly Variant[],
  read: Read,
): Promise<Standing[]> {
  const variants = [...new Map(found.map((variant) => [describe(variant), variant])).values()]
  const standings: Standing[] = []
  for (const variant of variants.slice(0, MOST_COMPARED)) {
    let matched = 0
    for (const account of accounts) {
      const trial = trialOf(variant, account, read)
      if (trial !== null && (await matches(trial))) matched++
    }
    standings.push({ variant, matched, of: accounts.length })
  }
  return standings.sort(
    (one, other) =>
      other.matched - one.matched ||
      Number(one.variant.words.length > 0) - Number(other.variant.words.length > 0) ||
      one.variant.weight - other.variant.weight ||
      Number(isNamed(one.variant)) - Number(isNamed(other.variant)) ||
      describe(one.variant).length - describe(other.variant).length,
  )
}

/** A family by its name: right perhaps, but a recipe says what is done. */
function isNamed({ hashScheme }: Variant): boolean {
  return hashScheme === null || !(hashScheme.includes('(') || digests.has(hashScheme))
}

/**
 * Whether so short a digest could be met by chance among many variants. Eight bytes are safe by arithmetic, but stores
 * with such digests have other weaknesses (letters without case, cut passwords) that make it likelier.
 */
export function isShort(encoded: string | null): boolean {
  const text = encoded?.replace(/^0x/i, '') ?? ''
  const bytes = /^[0-9a-f]+$/i.test(text) ? text.length / 2 : Buffer.from(text, 'base64').length
  return bytes > 0 && bytes <= 8
}
