import { argon2 } from './argon2.ts'
import { ceilingWords } from './ceilings.ts'
import { NO_CONTEXT } from './context.ts'
import { enveloped } from './dispatched.ts'
import type { Family, ReadHash } from './format.ts'
import { storedAs } from './key-derivation.ts'

const PREFIX = 'argon2'

/** Django puts the name of its hasher before the string of Argon2. */
export const argon2Django: Family = {
  name: 'argon2-django',
  sources: 'Django',
  ceiling: ceilingWords.argon2,
  example: `${PREFIX}${argon2.example}`,
  shape: /^argon2\$argon2(?:id|i|d)\$/,
  read,
}

function read(encoded: string): ReadHash {
  const inner = argon2.read(encoded.slice(PREFIX.length), storedAs(encoded), NO_CONTEXT)
  return enveloped(inner, argon2Django.name, (text) => `${PREFIX}${text}`)
}
