import { ceilingWords } from './ceilings.ts'
import { desEncrypt } from './des.ts'
import { digestFormat, hex } from './digest-format.ts'
import { textOfUtf8 } from './encodings.ts'
import { equalBytes } from './equal-bytes.ts'
import { malformed } from './key-derivation.ts'

/** The characters that RACF takes, as EBCDIC. */
const EBCDIC: ReadonlyMap<string, number> = new Map([
  ...letters('ABCDEFGHI', 0xc1),
  ...letters('JKLMNOPQR', 0xd1),
  ...letters('STUVWXYZ', 0xe2),
  ...letters('0123456789', 0xf0),
  ['#', 0x7b],
  ['@', 0x7c],
  ['$', 0x5b],
  ['.', 0x4b],
  ['<', 0x4c],
  ['+', 0x4e],
  ['|', 0x4f],
  ['&', 0x50],
  ['!', 0x5a],
  ['*', 0x5c],
  ['-', 0x60],
  ['%', 0x6c],
  ['_', 0x6d],
  ['>', 0x6e],
  ['?', 0x6f],
  [':', 0x7a],
  ['=', 0x7e],
])
const EBCDIC_BLANK = 0x40
/** Small letters stand as far before the capitals. */
const EBCDIC_CASE = 0x40

function letters(signs: string, first: number): readonly (readonly [string, number])[] {
  return Array.from(signs, (sign, index) => [sign, first + index] as const)
}

const RACF = /^\$racf\$\*([^*]{1,8})\*([0-9a-f]{16})$/i

/** RACF with DES: the password, blurred, is the key that encrypts the name of the user. */
export const racf = digestFormat({
  name: 'racf',
  note: 'with DES; at most eight characters, as typed or in capitals',
  sources: 'IBM z/OS (RACF)',
  ceiling: ceilingWords.fixed,
  example: `$racf$*CARRY*${'5A'.repeat(8)}`,
  shape: /^\$racf\$\*/i,
  parts: (encoded) => {
    const [, login = '', digits = ''] = RACF.exec(encoded) ?? []
    const block = ebcdic(login.toUpperCase())
    if (!block || digits === '') throw malformed('a RACF hash has a name of eight characters and 16 digits')
    const expected = hex(digits)
    return {
      expected,
      // Systems that tell capitals from small letters exist since z/OS 1.7; nothing in the string says which.
      digestOf: (password) => {
        const text = textOfUtf8(password) ?? ''
        const made = [racfDigest(text, block), racfDigest(text.toUpperCase(), block)]
        return made.find((bytes) => bytes !== null && equalBytes(bytes, expected)) ?? null
      },
    }
  },
})

function racfDigest(text: string, block: Buffer): Buffer | null {
  const key = ebcdic(text)
  return key && desEncrypt(Buffer.from(key.map((byte) => ((byte ^ 0x55) << 1) & 0xff)), block)
}

function ebcdic(text: string): Buffer | null {
  const bytes = Array.from(text, ebcdicByte)
  if (bytes.length > 8 || bytes.includes(-1)) return null
  return Buffer.from([...bytes, ...Array.from({ length: 8 - bytes.length }, () => EBCDIC_BLANK)])
}

function ebcdicByte(sign: string): number {
  const capital = EBCDIC.get(sign.toUpperCase()) ?? -1
  return /[a-z]/.test(sign) ? capital - EBCDIC_CASE : capital
}
