import { bytesOfBase64, unpadded } from './encodings.ts'

const BCRYPT64 = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Reads the base64 of bcrypt, whose shape has been checked before. */
export function bytesOfBcrypt64(text: string): Buffer {
  const standard = text.replace(/./g, (character) => BASE64.charAt(BCRYPT64.indexOf(character)))
  const bytes = bytesOfBase64(unpadded(standard))
  if (bytes === null) throw new Error('salt and digest of bcrypt were read before')
  return bytes
}

export function bcrypt64OfBytes(bytes: Uint8Array): string {
  return unpadded(Buffer.from(bytes).toString('base64')).replace(/./g, (character) =>
    BCRYPT64.charAt(BASE64.indexOf(character)),
  )
}
