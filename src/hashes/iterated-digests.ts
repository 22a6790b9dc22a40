import { hash } from 'node:crypto'
import { affordable, ceilings, ceilingWords, isWithin } from './ceilings.ts'
import { compared } from './compared.ts'
import { selfContained } from './crypt64.ts'
import { digestChain } from './digest-chain.ts'
import { bytesOfBase64, bytesOfHex } from './encodings.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'
import { iterated } from './iterated.ts'
import { portableDigest, portably } from './portable-form.ts'

const DIGEST_BYTES = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 } as const
type Digest = keyof typeof DIGEST_BYTES
/** SHA-256 and SHA-512 are chained in WebAssembly. */
const MILLIS_PER_ROUND: Readonly<Record<Digest, number>> = {
  sha1: 0.0014,
  sha256: 0.00017,
  sha384: 0.0014,
  sha512: 0.00024,
}

const SAP_NAMES: ReadonlyMap<string, Digest> = new Map([
  ['x-issha', 'sha1'],
  ['x-issha256', 'sha256'],
  ['x-issha384', 'sha384'],
  ['x-issha512', 'sha512'],
])
const SAP_WHOLE = /^(\{(x-issha(?:256|384|512)?), ?([1-9]\d{0,9})\})([A-Za-z0-9+/]{1,180}={0,2})$/i

/** SAP's CODVN H: the password again in front of every digest. */
export const sapH: Family = {
  name: 'sap-h',
  note: '{x-issha, 1024}, {x-isSHA256, n} and so on',
  sources: 'SAP NetWeaver (CODVN H)',
  ceiling: ceilingWords.sap,
  example: `{x-isSHA512, 15000}${Buffer.alloc(80, 'Z').toString('base64')}`,
  shape: /^\{x-issha(?:256|384|512)?,/i,
  read(encoded) {
    const [, prefix, name, digits, text] = SAP_WHOLE.exec(encoded) ?? []
    const digest = SAP_NAMES.get(name?.toLowerCase() ?? '')
    const body = bytesOfBase64(text ?? '')
    const saltBytes = (body?.length ?? 0) - (digest ? DIGEST_BYTES[digest] : 0)
    if (
      prefix === undefined ||
      digits === undefined ||
      !digest ||
      !body ||
      !isWithin(saltBytes, ceilings.sap.saltBytes)
    ) {
      throw new HashError('malformed', 'an SAP hash has rounds, and base64 of a digest and a salt')
    }
    const rounds = affordable(Number(digits), ceilings.sap.rounds, 'the rounds of an SAP hash')
    const expected = body.subarray(0, DIGEST_BYTES[digest])
    const salt = body.subarray(DIGEST_BYTES[digest])
    return {
      scheme: 'sap-h',
      millis: rounds * MILLIS_PER_ROUND[digest],
      decoy: selfContained(prefix + Buffer.alloc(body.length, 'Z').toString('base64')),
      ...compared(expected, (password) => sapDigest(digest, password, salt, rounds)),
    }
  },
}

function sapDigest(digest: Digest, password: Uint8Array, salt: Buffer, rounds: number): Buffer {
  const first = hash(digest, Buffer.concat([password, salt]), 'buffer')
  if (rounds === 1) return first
  const message = { bytes: Buffer.concat([password, first]), digestAt: password.length }
  return digestChain(digest, { messages: [message], cycle: [0], first, rounds: rounds - 1 })
}

const FSHP_DIGESTS: readonly Digest[] = ['sha1', 'sha256', 'sha384', 'sha512']
const FSHP_WHOLE = /^(\{FSHP([0-3])\|(0|[1-9]\d{0,2})\|([1-9]\d{0,9})\})([A-Za-z0-9+/]{1,180}={0,2})$/

/** Berk D. Demir's Fairly Secure Hashed Password: PBKDF1 of salt and password. */
export const fshp: Family = {
  name: 'fshp',
  sources: 'Python and PHP sites that took FSHP',
  ceiling: ceilingWords.fshp,
  example: `{FSHP1|16|16384}${Buffer.alloc(48, 'Z').toString('base64')}`,
  shape: /^\{FSHP\d\|/,
  read(encoded) {
    const [, prefix, variant, saltLength, digits, text = ''] = FSHP_WHOLE.exec(encoded) ?? []
    const digest = FSHP_DIGESTS[Number(variant)]
    const body = text.length % 4 === 0 ? bytesOfBase64(text) : null
    const saltBytes = Number(saltLength)
    if (
      prefix === undefined ||
      digits === undefined ||
      !digest ||
      !isWithin(saltBytes, ceilings.fshp.saltBytes) ||
      body?.length !== saltBytes + DIGEST_BYTES[digest]
    ) {
      throw new HashError(
        'malformed',
        'an FSHP hash has a variant, a length of salt, rounds, and base64 of salt and digest',
      )
    }
    const rounds = affordable(Number(digits), ceilings.fshp.rounds, 'the rounds of an FSHP hash')
    const salt = body.subarray(0, saltBytes)
    const expected = body.subarray(saltBytes)
    return {
      scheme: 'fshp',
      millis: rounds * MILLIS_PER_ROUND[digest],
      decoy: selfContained(prefix + Buffer.alloc(body.length, 'Z').toString('base64')),
      nulIsData: true,
      ...portably(
        compared(expected, (password) => iterated(digest, Buffer.concat([salt, password]), rounds)),
        () => (rounds === 1 ? portableDigest(digest, expected, 'prefix', salt) : null),
      ),
    }
  },
}

const SAMSUNG_ROUNDS = 1024
const SAMSUNG_WHOLE = /^([0-9a-f]{40})(?::([\x21-\x7e]{1,64}))?$/i
const SAMSUNG_DECOY = `${'5a'.repeat(20)}:7724368582277760`

/** The password file of Android on Samsung devices: digest and salt, which may stand in a column of its own. */
export const samsungAndroid: Family = {
  name: 'samsung-android',
  note: 'hexadecimal, a colon and the salt; or the salt in its own column',
  sources: 'Android on Samsung devices',
  ceiling: ceilingWords.fixed,
  example: SAMSUNG_DECOY,
  shape: SAMSUNG_WHOLE,
  byNameOnly: true,
  read(encoded, stored) {
    const [, digits, inline] = SAMSUNG_WHOLE.exec(encoded) ?? []
    const expected = bytesOfHex(digits ?? '')
    if (expected === null)
      throw new HashError('malformed', 'a samsung-android hash has 40 hexadecimal digits')
    const salt = Buffer.from(inline ?? stored.salt ?? '')
    if (!isWithin(salt.length, ceilings.digest.saltBytes))
      throw new HashError('bad-salt', `the salt has 1 to ${ceilings.digest.saltBytes.most} bytes`)
    return {
      scheme: 'samsung-android',
      millis: SAMSUNG_ROUNDS * MILLIS_PER_ROUND.sha1,
      decoy: selfContained(SAMSUNG_DECOY, 'samsung-android'),
      ...compared(expected, (password) => {
        let made = Buffer.alloc(0)
        for (let round = 0; round < SAMSUNG_ROUNDS; round += 1)
          made = hash('sha1', Buffer.concat([made, Buffer.from(String(round)), password, salt]), 'buffer')
        return made
      }),
    }
  },
}
