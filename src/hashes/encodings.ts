/** Reads hexadecimal in any case; null when it is anything else. */
export function bytesOfHex(text: string): Buffer | null {
  return text.length % 2 === 0 && /^[0-9a-f]*$/i.test(text) ? Buffer.from(text, 'hex') : null
}

/**
 * Reads standard base64, with or without padding; null when it is anything else. Spare bits must be zero, so
 * that no two strings stand for the same bytes.
 */
export function bytesOfBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  const padded = bytes.toString('base64')
  return text === padded || text === unpadded(padded) ? bytes : null
}

export function unpadded(base64: string): string {
  return base64.replace(/={1,2}$/, '')
}

/** Reads UTF-8; null when it is not. A byte order mark is kept, because a hash was made over it. */
export function textOfUtf8(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads base64 that must carry its padding, as .NET, Java and Go write it. */
export function bytesOfPaddedBase64(text: string): Buffer | null {
  return text.length % 4 === 0 ? bytesOfBase64(text) : null
}

/** Reads the base64 of passlib: `.` in place of `+`, no padding. Plain base64 is taken as well. */
export function bytesOfAb64(text: string): Buffer | null {
  return bytesOfBase64(text.replaceAll('.', '+'))
}

export function ab64(bytes: Uint8Array): string {
  return unpadded(Buffer.from(bytes).toString('base64')).replaceAll('+', '.')
}
