import { ceilingWords } from './ceilings.ts'
import { inCodePage } from './code-pages.ts'
import { compared } from './compared.ts'
import { desEncrypt, desKeyOfSeven } from './des.ts'
import { bytesOfHex, textOfUtf8 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { decoyKey, keyBytes, storedAs } from './key-derivation.ts'

const HALF_BYTES = 7
const MAX_CHARACTERS = 2 * HALF_BYTES
const PLAINTEXT = Buffer.from('KGS!@#$%')
/** Of Windows in the United States, which used it for these. */
const CODE_PAGE = 'cp437'
/** Two blocks of DES. */
const MILLIS = 0.1

/** LAN Manager: the first 14 characters in capitals, in two halves, each the key of one block of DES. */
export const lmhash = lmFormat('lmhash', 16, '5a'.repeat(16))
/** One of the halves, as crackers store them; it is that of the password's first seven characters. */
export const lmHalf = lmFormat('lm-half', 8, '5a'.repeat(8))

function lmFormat(name: string, bytes: number, example: string): Family {
  return {
    name,
    note: 'capitals and small letters are the same, and 14 characters count',
    sources: 'Windows NT to XP, Samba',
    ceiling: ceilingWords.fixed,
    example,
    shape: bytes === 16 ? /^[0-9a-f]{32}$/i : /^[0-9a-f]{16}$/i,
    byNameOnly: true,
    read: (encoded) => readHalves(name, bytes, encoded),
  }
}

function readHalves(name: string, bytes: number, encoded: string): ReadHash {
  const expected = keyBytes(bytesOfHex(encoded), bytes)
  return {
    scheme: name,
    millis: MILLIS,
    decoy: storedAs(decoyKey(bytes).toString('hex'), name),
    ...compared(expected, (password) => {
      const text = textOfUtf8(password)
      const characters = text === null ? null : inCodePage(Buffer.from(text.toUpperCase()), CODE_PAGE)
      return characters && digestOf(characters).subarray(0, bytes)
    }),
  }
}

function digestOf(characters: Buffer): Buffer {
  const halves = Buffer.alloc(MAX_CHARACTERS)
  characters.copy(halves, 0, 0, MAX_CHARACTERS)
  return Buffer.concat(
    [halves.subarray(0, HALF_BYTES), halves.subarray(HALF_BYTES)].map((half) =>
      desEncrypt(desKeyOfSeven(half), PLAINTEXT),
    ),
  )
}
