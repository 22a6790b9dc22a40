import type { StoredHash } from '../domain.ts'
import { bcrypt, bcryptText } from './bcrypt.ts'
import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import type { HashContext } from './context.ts'
import type { Family, ReadHash } from './format.ts'
import { withoutLane } from './wrapped.ts'

const DECOY = 'CarryoverCarryoverCarOnobodyKnowsAPasswordForThisHas.'

/**
 * WoltLab Community Framework 2: bcrypt of the text that bcrypt of the password gives, with the same salt. Later
 * releases say so in front, and write `Bcrypt:` for what is bcrypt once.
 */
export const wbb4: Family = {
  name: 'wbb4',
  note: 'bcrypt of bcrypt, with or without `DoubleBcrypt:`; once after `Bcrypt:`',
  sources: 'WoltLab Burning Board 4, Community Framework 2 and Suite 3 to 5',
  ceiling: ceilingWords.bcryptTwice,
  example: `$2a$08$${DECOY}`,
  shape: /^(?:(?:Double)?Bcrypt:)?\$2[axy]\$.{0,64}$/i,
  byNameOnly: true,
  read,
}

function read(encoded: string, stored: StoredHash, context: HashContext): ReadHash {
  const start = encoded.indexOf('$')
  const inner = encoded.slice(start)
  const once = bcrypt.read(inner, stored, context)
  const isDouble = !/^bcrypt:/i.test(encoded)
  return {
    ...(isDouble ? withoutLane(once) : once),
    scheme: wbb4.name,
    millis: affordable(
      (isDouble ? 2 : 1) * once.millis,
      ceilings.check.millis,
      'the milliseconds of bcrypt of bcrypt',
    ),
    decoy: {
      ...once.decoy,
      encoded: encoded.slice(0, start) + (once.decoy.encoded ?? ''),
      scheme: wbb4.name,
    },
    matches: isDouble ? (password) => once.matches(bcryptText(inner, password)) : once.matches,
  }
}
