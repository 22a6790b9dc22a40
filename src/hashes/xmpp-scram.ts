import { ceilingWords } from './ceilings.ts'
import { bytesOfHex } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { derivationDigests, keyBytes, malformed, saltBytes, wholeNumber } from './key-derivation.ts'
import { scramHash } from './scram.ts'

const SHA1_BYTES = derivationDigests.sha1.bytes
const WHOLE = /^\$xmpp-scram\$0\$(\d{1,20})\$(\d{1,4})\$([0-9a-f]+)\$([0-9a-f]+)$/i

/** The stored key of ejabberd and Prosody in the form of john and hashcat; the third field counts the salt's bytes. */
export const xmppScram: Family = {
  name: 'xmpp-scram',
  sources: 'ejabberd, Prosody',
  ceiling: ceilingWords.pbkdf2,
  example: `$xmpp-scram$0$4096$16$63617272796f7665726361727279${'6f76'}$${'5a'.repeat(SHA1_BYTES)}`,
  shape: /^\$xmpp-scram\$/,
  read,
}

function read(encoded: string): ReadHash {
  const [, iterations, length, salt, key] = WHOLE.exec(encoded) ?? []
  if (salt === undefined || key === undefined) {
    throw malformed('an XMPP hash has iterations, the length of the salt, the salt and the stored key')
  }
  const salted = saltBytes(bytesOfHex(salt))
  if (wholeNumber(length, 'the length of the salt') !== salted.length) {
    throw malformed('the salt of an XMPP hash has as many bytes as the number before it says')
  }
  return scramHash({
    scheme: xmppScram.name,
    digest: 'sha1',
    iterations,
    salt: salted,
    key: keyBytes(bytesOfHex(key), SHA1_BYTES),
    written: (otherSalt, otherKey) =>
      `$xmpp-scram$0$${iterations}$${length}$${otherSalt.toString('hex')}$${otherKey.toString('hex')}`,
    keeps: ['storedKey'],
  })
}
