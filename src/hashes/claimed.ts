import type { StoredHash } from '../domain.ts'
import type { HashContext } from './context.ts'
import type { HashFormat, ReadHash } from './format.ts'
import { HashError } from './format.ts'

/** Reads a string that is said to be of this format. Throws HashError, `malformed` where its shape is another's. */
export function readClaimed(
  format: HashFormat,
  encoded: string,
  stored: StoredHash,
  context: HashContext,
): ReadHash {
  if ((format.shapeByName ?? format.shape).test(encoded)) return format.read(encoded, stored, context)
  throw new HashError('malformed', `not of the shape that ${format.name} hashes have`)
}
