import { bytesOfBase64, bytesOfHex, unpadded } from './encodings.ts'
import { HashError } from './format.ts'
import type { Form } from './recipe-functions.ts'

/** How a digest is written. */
export type ResultForm = Exclude<Form, 'open'>

/**
 * What the result is compared with, from the stored text; hexadecimal or base64 is told by the length. Throws
 * HashError.
 */
export function expectedBytes(encoded: string, form: ResultForm, length: number): Buffer {
  const hexadecimal = encoded.replace(/^0x/i, '')
  switch (form) {
    case 'raw': {
      const bytes = hexadecimal.length === 2 * length ? bytesOfHex(hexadecimal) : bytesOfBase64(encoded)
      if (bytes?.length === length) return bytes
      throw new HashError('malformed', `expected ${length} bytes as hexadecimal or base64`)
    }
    case 'hex':
      if (hexadecimal.length === length && /^[0-9a-f]+$/i.test(hexadecimal))
        return comparable(hexadecimal, form)
      throw new HashError('malformed', `expected ${length} hexadecimal digits`)
    case 'base64':
      if (isBase64Text(encoded, length)) return comparable(encoded, form)
      throw new HashError('malformed', `expected ${length} characters of base64`)
  }
}

/** The padding may be missing. */
function isBase64Text(text: string, length: number): boolean {
  if (!/^[a-z0-9+/]+={0,2}$/i.test(text)) return false
  return text.length === length || (!text.endsWith('=') && 4 * Math.ceil(text.length / 4) === length)
}

/** One writing of a result where several mean the same: lower-case hexadecimal, base64 without padding. */
export function comparable(made: Buffer | string, form: ResultForm): Buffer {
  if (form === 'raw') return Buffer.from(made)
  const text = made.toString()
  return Buffer.from(form === 'hex' ? text.toLowerCase() : unpadded(text))
}
