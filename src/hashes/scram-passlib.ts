import { ceilingWords } from './ceilings.ts'
import { ab64, bytesOfAb64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { derivationDigests, keyBytes, malformed, saltBytes } from './key-derivation.ts'
import type { ScramDigest } from './scram.ts'
import { scramHash } from './scram.ts'

/** In the order of passlib: the first that is there is the one that is checked. */
const DIGESTS: ReadonlyMap<string, ScramDigest> = new Map([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
  ['sha-224', 'sha224'],
  ['sha-384', 'sha384'],
  ['sha-1', 'sha1'],
  ['md5', 'md5'],
])
/** passlib refuses a hash without it, because every SCRAM client knows it. */
const REQUIRED = 'sha-1'
const WHOLE = /^\$scram\$(\d{1,20})\$([^$]*)\$([^$]+)$/

/** passlib's store of salted passwords for SCRAM, one for each digest. */
export const scramPasslib: Family = {
  name: 'scram-passlib',
  sources: 'Python (passlib)',
  ceiling: ceilingWords.pbkdf2,
  example: '$scram$100000$Y2FycnlvdmVyY2Fycnlvdg$sha-1=WlpaWlpaWlpaWlpaWlpaWlpaWlo',
  shape: /^\$scram\$/,
  read,
}

function read(encoded: string): ReadHash {
  const [, iterations, salt, list] = WHOLE.exec(encoded) ?? []
  if (salt === undefined || list === undefined) {
    throw malformed('a SCRAM hash of passlib has iterations, a salt and digests, each after a $')
  }
  const keys = keysIn(list)
  const [name, digest] = Array.from(DIGESTS).find(([known]) => keys.has(known)) ?? []
  const key = name === undefined ? undefined : keys.get(name)
  if (digest === undefined || key === undefined || !keys.has(REQUIRED)) {
    throw malformed('a SCRAM hash of passlib has a digest named sha-1')
  }
  return scramHash({
    scheme: scramPasslib.name,
    digest,
    iterations,
    salt: saltBytes(bytesOfAb64(salt)),
    key,
    written: (otherSalt, otherKey) => {
      const others = Array.from(keys, ([known, { length }]) => {
        return `${known}=${ab64(known === name ? otherKey : Buffer.alloc(length, 'Z'))}`
      })
      return `$scram$${iterations}$${ab64(otherSalt)}$${others.join(',')}`
    },
    keeps: ['saltedPassword'],
  })
}

function keysIn(list: string): ReadonlyMap<string, Buffer> {
  const keys = new Map<string, Buffer>()
  for (const entry of list.split(',')) {
    const [, name = '', text = ''] = /^([a-z0-9-]+)=([A-Za-z0-9./+]+)$/.exec(entry) ?? []
    const digest = DIGESTS.get(name)
    if (digest === undefined || keys.has(name))
      throw malformed('each digest of a SCRAM hash has a known name, once')
    keys.set(name, keyBytes(bytesOfAb64(text), derivationDigests[digest].bytes))
  }
  return keys
}
