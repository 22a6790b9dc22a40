import type { StoredHash } from '../domain.ts'
import { ceilingWords } from './ceilings.ts'
import type { HashContext } from './context.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { readRecipe } from './recipe.ts'

/** Passlib writes no leading zero. Version 1 names no version, and version 2 is of `$2b$` only. */
const WHOLE =
  /^\$bcrypt-sha256\$(?:v=2,t=(?<type2>2b),r=(?<cost2>[1-9]\d?)|(?<type1>2[aby]),(?<cost1>[1-9]\d?))\$(?<salt>[./A-Za-z0-9]{22})\$(?<digest>[./A-Za-z0-9]{31})$/

export const bcryptSha256: Family = {
  name: 'bcrypt-sha256-passlib',
  note: 'versions 1 and 2',
  sources: 'Python (passlib)',
  ceiling: ceilingWords.bcrypt,
  example: '$bcrypt-sha256$v=2,t=2b,r=12$CarryoverCarryoverCarO$nobodyKnowsAPasswordForThisHas.',
  shape: /^\$bcrypt-sha256\$/,
  read,
}

function read(encoded: string, stored: StoredHash, context: HashContext): ReadHash {
  const { type1, cost1, type2, cost2, salt, digest } = WHOLE.exec(encoded)?.groups ?? {}
  const type = type2 ?? type1
  const cost = cost2 ?? cost1
  if (type === undefined || cost === undefined || salt === undefined || digest === undefined)
    throw new HashError('malformed', 'a bcrypt-sha256 hash has a type, a cost, a salt and a digest')
  // Version 2 keys the digest with the salt, as it is written.
  const recipe = type2 === undefined ? 'bcrypt(b64(sha256($pass)))' : 'bcrypt(b64(hmac_sha256($salt,$pass)))'
  const inner = `$${type}$${cost.padStart(2, '0')}$${salt}${digest}`
  const read = readRecipe(recipe, { ...stored, salt }, inner, context, { name: bcryptSha256.name })
  const decoy = read.decoy.encoded ?? ''
  const head = encoded.slice(0, -salt.length - digest.length - 1)
  return {
    ...read,
    decoy: {
      encoded: `${head}${decoy.slice(-53, -31)}$${decoy.slice(-31)}`,
      scheme: null,
      salt: null,
      login: '',
      id: '',
    },
  }
}
