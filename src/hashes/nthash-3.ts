import { ceilingWords } from './ceilings.ts'
import { comparedAny } from './compared.ts'
import { selfContained } from './crypt64.ts'
import { md4 } from './digests/md4.ts'
import { bytesOfHex, textOfUtf8 } from './encodings.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'

const WHOLE = /^\$3\$\$([0-9a-f]{32})$/i
const DECOY = `$3$$${'5a'.repeat(16)}`
const MILLIS = 0.1

/** FreeBSD's crypt-nthash.c: the NT hash, which is MD4 of the password in UTF-16. */
export const nthash3: Family = {
  name: 'nthash-3',
  sources: 'FreeBSD',
  ceiling: ceilingWords.fixed,
  example: DECOY,
  shape: /^\$3\$/,
  read(encoded) {
    const digest = bytesOfHex(WHOLE.exec(encoded)?.[1] ?? '')
    if (!digest?.length) throw new HashError('malformed', 'a $3$ hash has 32 hexadecimal digits after $3$$')
    return {
      scheme: 'nthash-3',
      millis: MILLIS,
      decoy: selfContained(DECOY),
      ...comparedAny(digest, 2, (password) => wideForms(password).map(md4)),
    }
  },
}

/** FreeBSD and libxcrypt widen the bytes, whatever they encode; passlib and Samba widen the characters. */
function wideForms(password: Uint8Array): Buffer[] {
  const text = textOfUtf8(password)
  const bytewise = Buffer.from(Buffer.from(password).toString('latin1'), 'utf16le')
  return text === null ? [bytewise] : [Buffer.from(text, 'utf16le'), bytewise]
}
