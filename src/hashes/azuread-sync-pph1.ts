import { ceilingWords } from './ceilings.ts'
import { md4 } from './digests/md4.ts'
import { bytesOfHex, textOfUtf8 } from './encodings.ts'
import { keyBytes, saltBytes } from './key-derivation.ts'
import { pbkdf2Container } from './pbkdf2-container.ts'

/** What Azure AD Connect sends: PBKDF2 over the NT hash, written in capitals and 16 bits a digit. */
export const azureadSyncPph1 = pbkdf2Container({
  name: 'azuread-sync-pph1',
  sources: 'Azure AD Connect, Entra Connect',
  ceiling: ceilingWords.pbkdf2,
  example: `v1;PPH1_MD4,63617272793030303030,1000,${'5a'.repeat(32)};`,
  shape: /^v1;PPH1_MD4,/,
  whole: /^v1;PPH1_MD4,([0-9a-f]{1,128}),(\d{1,20}),([0-9a-f]{64});?$/i,
  parts: ([salt = '', iterations = '', key = '']) => ({
    digest: 'sha256',
    iterations,
    salt: saltBytes(bytesOfHex(salt)),
    key: keyBytes(bytesOfHex(key), 32),
    written: (otherSalt, otherKey) =>
      `v1;PPH1_MD4,${otherSalt.toString('hex')},${iterations},${otherKey.toString('hex')};`,
    prepared: ntHashInDigits,
  }),
})

/** Bytes that are no text stand for themselves: nothing that was stored came from them. */
function ntHashInDigits(password: Uint8Array): Uint8Array {
  const text = textOfUtf8(password)
  const ntHash = md4(text === null ? password : Buffer.from(text, 'utf16le'))
  return Buffer.from(ntHash.toString('hex').toUpperCase(), 'utf16le')
}
