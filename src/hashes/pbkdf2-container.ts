import type { Family } from './format.ts'
import type { DerivationDigest, DerivedKeyHash } from './key-derivation.ts'
import { derivedKeyHash, malformed, pbkdf2, wholeNumber } from './key-derivation.ts'

/** What a string of the family says. */
export interface Pbkdf2Parts extends Omit<DerivedKeyHash, 'scheme' | 'derivation'> {
  readonly digest: DerivationDigest
  readonly iterations: string | number
}

export interface Pbkdf2Container extends Omit<Family, 'read'> {
  readonly whole: RegExp
  /** From the groups of `whole`, of which none is missing. */
  parts(groups: readonly string[]): Pbkdf2Parts
}

/** A family that is PBKDF2 and differs only in how its string is written. */
export function pbkdf2Container({ whole, parts, ...format }: Pbkdf2Container): Family {
  return {
    ...format,
    read: (encoded) => {
      const [, ...groups] = whole.exec(encoded) ?? []
      if (groups.length === 0) throw malformed(`a ${format.name} hash has iterations, a salt and a key`)
      const { digest, iterations, ...rest } = parts(groups.map((group) => group ?? ''))
      const count =
        typeof iterations === 'number' ? iterations : wholeNumber(iterations, 'the number of iterations')
      return derivedKeyHash({
        ...rest,
        scheme: format.name,
        derivation: pbkdf2(digest, count, rest.key.length),
      })
    },
  }
}
