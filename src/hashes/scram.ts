import { createHash, createHmac } from 'node:crypto'
import { keepingMore } from './compared.ts'
import { textOfUtf8 } from './encodings.ts'
import type { ReadHash } from './format.ts'
import type { DerivedKeyHash } from './key-derivation.ts'
import { derivationDigests, derivedKeyHash, pbkdf2, wholeNumber } from './key-derivation.ts'
import { saslPrepared } from './saslprep.ts'

/** The names of RFC 5802. No server keeps the client's key: it would be enough to sign in. */
export interface ScramKeys {
  readonly saltedPassword: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

export type ScramDigest = 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512'

export interface ScramHash extends Omit<DerivedKeyHash, 'derivation' | 'finished'> {
  readonly digest: ScramDigest
  readonly iterations: string | number | undefined
  /** What of it is stored: `key` is these one after another. */
  readonly keeps: readonly (keyof ScramKeys)[]
}

/** The check of a hash that holds keys of SCRAM. The password is prepared as RFC 5802 says unless `prepared` is given. */
export function scramHash({ digest, iterations, keeps, ...hash }: ScramHash): ReadHash {
  const count =
    typeof iterations === 'number' ? iterations : wholeNumber(iterations, 'the number of iterations')
  const read = derivedKeyHash({
    prepared: preparedBytes,
    ...hash,
    derivation: pbkdf2(digest, count, derivationDigests[digest].bytes),
    finished: (saltedPassword) => {
      const keys = scramKeys(saltedPassword, digest)
      return Buffer.concat(keeps.map((name) => keys[name]))
    },
  })
  // Beside the key that is compared stands, as a rule, another one.
  return keepingMore(read)
}

function scramKeys(saltedPassword: Buffer, digest: ScramDigest): ScramKeys {
  const keyed = (label: string) => createHmac(digest, saltedPassword).update(label).digest()
  return {
    saltedPassword,
    storedKey: createHash(digest).update(keyed('Client Key')).digest(),
    serverKey: keyed('Server Key'),
  }
}

/** SASLprep of a password that is UTF-8; any other is used as it is. */
export function preparedBytes(password: Uint8Array): Uint8Array {
  const text = textOfUtf8(password)
  return text === null ? password : Buffer.from(saslPrepared(text))
}
