import { createHash, createHmac } from 'node:crypto'
import { textOfUtf8 } from './encodings.ts'
import { saslPrepared } from './saslprep.ts'

/** What a server keeps of a salted password (RFC 5802): neither leads back to it. */
export function scramKeys(salted: Buffer, digest: string): { storedKey: Buffer; serverKey: Buffer } {
  const clientKey = createHmac(digest, salted).update('Client Key').digest()
  return {
    storedKey: createHash(digest).update(clientKey).digest(),
    serverKey: createHmac(digest, salted).update('Server Key').digest(),
  }
}

export function preparedBytes(password: Uint8Array): Uint8Array {
  const text = textOfUtf8(password)
  return text === null ? password : Buffer.from(saslPrepared(text))
}
