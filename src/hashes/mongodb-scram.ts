import { createHash } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { ceilingWords } from './ceilings.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { derivationDigests, keyBytes, malformed, saltBytes } from './key-derivation.ts'
import { preparedBytes, scramHash } from './scram.ts'

const WHOLE = /^\$mongodb-scram\$\*([01])\*([^*]*)\*(\d{1,20})\*([^*]+)\*([^*]+)$/

/** The server key of MongoDB in the form of hashcat: `0` is SCRAM-SHA-1, `1` SCRAM-SHA-256. */
export const mongodbScram: Family = {
  name: 'mongodb-scram',
  sources: 'MongoDB',
  ceiling: ceilingWords.pbkdf2,
  example:
    '$mongodb-scram$*1*Y2FycnlvdmVy*15000*Y2FycnlvdmVyY2FycnlvdmVyY2FycnlvdmVyYw==*WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^\$mongodb-scram\$\*/,
  read,
}

function read(encoded: string): ReadHash {
  const [, kind, login, iterations, salt, key] = WHOLE.exec(encoded) ?? []
  if (login === undefined || salt === undefined || key === undefined) {
    throw malformed(
      'a SCRAM hash of MongoDB has a kind, a login, iterations, a salt and a key, each after a *',
    )
  }
  const name = bytesOfPaddedBase64(login)
  if (!name) throw malformed('the login in a SCRAM hash of MongoDB is base64')
  const digest = kind === '0' ? 'sha1' : 'sha256'
  return scramHash({
    scheme: mongodbScram.name,
    digest,
    iterations,
    salt: saltBytes(bytesOfPaddedBase64(salt)),
    key: keyBytes(bytesOfPaddedBase64(key), derivationDigests[digest].bytes),
    written: (otherSalt, otherKey) =>
      `$mongodb-scram$*${kind}*${login}*${iterations}*${otherSalt.toString('base64')}*${otherKey.toString('base64')}`,
    prepared: kind === '0' ? (password) => mongoDigest(name, password) : preparedBytes,
    keeps: ['serverKey'],
  })
}

/** SCRAM-SHA-1 of MongoDB starts from the digest of MONGODB-CR in place of the password. */
export function mongoDigest(login: Uint8Array, password: Uint8Array): Uint8Array {
  return Buffer.from(createHash('md5').update(login).update(':mongo:').update(password).digest('hex'))
}

/** A stored key beside its salt, with the number of iterations that MongoDB has by default. */
const DEFAULT_ITERATIONS = { sha1: 10_000, sha256: 15_000 } as const

/** storedKey of system.users; the salt is base64, and the login is the name in MongoDB. */
export const mongodbStoredkey: Family = {
  name: 'mongodb-storedkey',
  note: 'base64, with the salt in the row; 10,000 iterations of SHA-1 or 15,000 of SHA-256',
  sources: 'MongoDB',
  ceiling: ceilingWords.fixed,
  example: 'WlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^[A-Za-z0-9+/]{27,43}=$/,
  byNameOnly: true,
  read: readStoredKey,
}

function readStoredKey(encoded: string, { salt, login }: StoredHash): ReadHash {
  const key = keyBytes(
    bytesOfPaddedBase64(encoded),
    derivationDigests.sha1.bytes,
    derivationDigests.sha256.bytes,
  )
  const digest = key.length === derivationDigests.sha1.bytes ? 'sha1' : 'sha256'
  const bytes = bytesOfPaddedBase64(salt ?? '')
  const hash = scramHash({
    scheme: mongodbStoredkey.name,
    digest,
    iterations: DEFAULT_ITERATIONS[digest],
    salt: saltBytes(bytes),
    key,
    written: (_, otherKey) => otherKey.toString('base64'),
    prepared: digest === 'sha1' ? (password) => mongoDigest(Buffer.from(login), password) : preparedBytes,
    keeps: ['storedKey'],
  })
  return { ...hash, decoy: { ...hash.decoy, salt: 'Y2FycnlvdmVyY2Fycg==' } }
}
