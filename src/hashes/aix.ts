import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import { comparedText } from './compared.ts'
import { crypt64, selfContained } from './crypt64.ts'
import type { Family, ReadHash } from './format.ts'
import { derivationDigests, derivedKeyHash, malformed, pbkdf2 } from './key-derivation.ts'
import { md5CryptDigest } from './md5-crypt.ts'

const SMD5_MILLIS = 0.15

const SMD5 = /^\{smd5\}([\x21-\x23\x25-\x7e]{0,8})\$([./0-9A-Za-z]{21}[./01])$/
const SSHA = /^\{ssha(1|256|512)\}(\d\d)\$([\x21-\x23\x25-\x7e]{1,32})\$([./0-9A-Za-z]{26,86})$/
const DIGESTS = { 1: 'sha1', 256: 'sha256', 512: 'sha512' } as const
type Digest = (typeof DIGESTS)[keyof typeof DIGESTS]

/** `/etc/security/passwd` of AIX, in lower case: others write other things behind the same braces. */
export const aix: Family = {
  name: 'aix',
  note: '{smd5}, {ssha1}, {ssha256} and {ssha512}',
  sources: 'AIX',
  ceiling: ceilingWords.aix,
  example: sshaText('256', '06'),
  shape: /^\{(?:smd5\}[^$]{0,8}\$|ssha(?:1|256|512)\}\d\d\$)/,
  read: (encoded) => (encoded.startsWith('{smd5}') ? readSmd5(encoded) : readSsha(encoded)),
}

/** md5crypt without its magic. */
function readSmd5(encoded: string): ReadHash {
  const [, salt, digest] = SMD5.exec(encoded) ?? []
  if (salt === undefined || digest === undefined)
    throw malformed('behind {smd5} stand a salt and 22 characters of digest')
  return {
    scheme: 'aix',
    millis: SMD5_MILLIS,
    decoy: selfContained(`{smd5}Carryove$${'.'.repeat(22)}`),
    ...comparedText(digest, (password) => md5CryptDigest(password, Buffer.from(salt), '')),
  }
}

function readSsha(encoded: string): ReadHash {
  const [, bits, log2, salt, digits] = SSHA.exec(encoded) ?? []
  const digest = digestOf(bits)
  if (!digest || log2 === undefined || salt === undefined || digits?.length !== lengthOf(digest)) {
    throw malformed('behind {ssha256} stand a cost of two digits, a salt and a digest')
  }
  const iterations = 2 ** affordable(Number(log2), ceilings.aix.log2, 'the cost of an AIX hash')
  return derivedKeyHash({
    nulIsData: false,
    scheme: 'aix',
    derivation: pbkdf2(digest, iterations, derivationDigests[digest].bytes),
    salt: Buffer.from(salt),
    key: Buffer.from(digits),
    written: () => sshaText(bits ?? '', log2),
    finished: (derived) => Buffer.from(digitsOf(derived)),
  })
}

function digestOf(bits: string | undefined): Digest | undefined {
  return bits === '1' || bits === '256' || bits === '512' ? DIGESTS[bits] : undefined
}

function sshaText(bits: string, log2: string): string {
  return `{ssha${bits}}${log2}$CarryoverCarryov$${'.'.repeat(lengthOf(digestOf(bits) ?? 'sha1'))}`
}

function lengthOf(digest: Digest): number {
  return charactersOf(derivationDigests[digest].bytes)
}

function charactersOf(bytes: number): number {
  return Math.ceil((8 * bytes) / 6)
}

/**
 * Groups of three bytes with the first one highest, and in them the lowest digit first. The last group is filled
 * with zeros and cut off, which loses some of its bits.
 */
function digitsOf(bytes: Buffer): string {
  const groups = Buffer.alloc(3 * Math.ceil(bytes.length / 3))
  bytes.forEach((byte, at) => {
    groups[at - (at % 3) + 2 - (at % 3)] = byte
  })
  return crypt64(groups).slice(0, charactersOf(bytes.length))
}
