import { hash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { compared } from './compared.ts'
import { selfContained } from './crypt64.ts'
import { bytesOfHex, textOfUtf8 } from './encodings.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'
import { portableDigest, portably } from './portable-form.ts'

const MILLIS = 0.02
const MACOS_SALT_BYTES = 4

/** Mac OS X 10.4 to 10.6: four bytes of salt in front of the digest, all in hexadecimal. */
export const macosSha1 = macos('macos-10.4-sha1', 'sha1', 'Mac OS X 10.4 to 10.6')
/** Mac OS X 10.7. */
export const macosSha512 = macos('macos-10.7-sha512', 'sha512', 'Mac OS X 10.7')

function macos(name: string, digest: 'sha1' | 'sha512', sources: string): Family {
  const digits = 2 * (MACOS_SALT_BYTES + (digest === 'sha1' ? 20 : 64))
  const decoy = selfContained('5a'.repeat(digits / 2), name)
  return {
    name,
    note: `${digits} hexadecimal digits, of which the first 8 are the salt`,
    sources,
    ceiling: ceilingWords.fixed,
    example: decoy.encoded ?? '',
    shape: new RegExp(`^[0-9a-f]{${digits}}$`, 'i'),
    byNameOnly: true,
    read(encoded) {
      const all = bytesOfHex(encoded)
      if (all?.length !== digits / 2)
        throw new HashError('malformed', `hashes of ${name} have ${digits} hexadecimal digits`)
      const salt = all.subarray(0, MACOS_SALT_BYTES)
      const expected = all.subarray(MACOS_SALT_BYTES)
      return {
        scheme: name,
        millis: MILLIS,
        decoy,
        ...portably(
          compared(expected, (password) => hash(digest, Buffer.concat([salt, password]), 'buffer')),
          () => portableDigest(digest, expected, 'prefix', salt),
        ),
      }
    },
  }
}

const AS400_LOGIN_CHARACTERS = 10
const AS400_WHOLE = /^(?:\$as400\$ssha1\$\*([^*]{1,10})\*)?([0-9a-f]{40})$/i
const AS400_DECOY = selfContained('5a'.repeat(20), 'as400-ssha1')

/** IBM i at password levels 2 and 3: the user profile's name in capitals, filled with blanks, is the salt. */
export const as400Ssha1: Family = {
  name: 'as400-ssha1',
  note: '40 hexadecimal digits; with the login',
  sources: 'IBM i, AS/400',
  ceiling: ceilingWords.fixed,
  example: AS400_DECOY.encoded ?? '',
  shape: AS400_WHOLE,
  byNameOnly: true,
  read(encoded, { login }) {
    const [, inline, digits] = AS400_WHOLE.exec(encoded) ?? []
    const digest = bytesOfHex(digits ?? '')
    if (!digest) throw new HashError('malformed', 'a hash of IBM i has 40 hexadecimal digits')
    const user = (inline ?? login).toUpperCase()
    if (user.length > AS400_LOGIN_CHARACTERS)
      throw new HashError('malformed', `a user profile has at most ${AS400_LOGIN_CHARACTERS} characters`)
    return {
      scheme: 'as400-ssha1',
      millis: MILLIS,
      decoy: AS400_DECOY,
      ...compared(digest, (password) => {
        const text = textOfUtf8(password)
        if (text === null) return null
        const wide = Buffer.from(user.padEnd(AS400_LOGIN_CHARACTERS) + text, 'utf16le').swap16()
        return hash('sha1', wide, 'buffer')
      }),
    }
  },
}
