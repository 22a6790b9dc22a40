import { hash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { compared } from './compared.ts'
import type { HashContext } from './context.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { malformed, storedAs } from './key-derivation.ts'

const PREFIX = /^\{(?:noop|plain|cleartext|plaintext)\}/i
const DECOY = 'Carryover: nobody has this password.'

/** The password itself. Never assumed: the row says so by its scheme or by a prefix, and the operator allows it. */
export const plaintext: Family = {
  name: 'plaintext',
  aliases: ['plain', 'cleartext'],
  note: 'the password itself; only with ALLOW_PLAINTEXT. {noop}, {PLAIN}, {CLEARTEXT}; under its name all of the text counts',
  sources: 'stores without hashing; {noop} of Spring, {PLAIN} of Dovecot',
  ceiling: ceilingWords.fixed,
  example: `{noop}${DECOY}`,
  shape: PREFIX,
  shapeByName: /^/,
  read(encoded, { scheme }, context) {
    const isNamed = (scheme ?? '').trim() !== ''
    return readPlaintext(isNamed ? encoded : encoded.replace(PREFIX, ''), context)
  },
}

/** Throws HashError unless the operator allows it. */
export function readPlaintext(password: string, context: HashContext): ReadHash {
  if (!context.plaintext)
    throw new HashError('unknown-scheme', 'a stored password is compared only with ALLOW_PLAINTEXT')
  if (password === '' || password.includes('\0')) throw malformed('a password is not empty and has no NUL')
  // Digests are of one length, so that the time does not tell the password's.
  const expected = digestOf(Buffer.from(password))
  const check = compared(expected, digestOf)
  return {
    scheme: plaintext.name,
    millis: 0.1,
    decoy: storedAs(DECOY, plaintext.name),
    nulIsData: true,
    ...check,
    ...(check.digest && { digest: { ...check.digest, written: password } }),
  }
}

function digestOf(password: Uint8Array): Buffer {
  return hash('sha256', password, 'buffer')
}
