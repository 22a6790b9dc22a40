import { hash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { compared } from './compared.ts'
import { sameBytes, selfContained } from './crypt64.ts'
import { md4 } from './digests/md4.ts'
import { md5State } from './digests/md5-state.ts'
import { bytesOfBase64, bytesOfHex } from './encodings.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'
import { boundedBytes, derivationDigests, keyBytes, malformed } from './key-derivation.ts'
import { portableDigest, portably } from './portable-form.ts'
import { scramHash } from './scram.ts'

/** 4096 bytes of password through MD4 or MD5 in TypeScript. */
const MILLIS = 0.9

const MD4_BYTES = 16

export const plainMd4: Family = {
  name: 'plain-md4',
  note: '{PLAIN-MD4}; hexadecimal or base64',
  sources: 'Dovecot',
  ceiling: ceilingWords.fixed,
  example: `{PLAIN-MD4}${'5a'.repeat(MD4_BYTES)}`,
  shape: /^\{PLAIN-MD4(?:\.(?:hex|b64|base64))?\}/i,
  read(encoded) {
    const body = encoded.slice(encoded.indexOf('}') + 1)
    const digest = body.length === 2 * MD4_BYTES ? bytesOfHex(body) : bytesOfBase64(body)
    if (digest?.length !== MD4_BYTES)
      throw new HashError('malformed', 'behind {PLAIN-MD4} stand 16 bytes in hexadecimal or base64')
    return {
      scheme: 'plain-md4',
      millis: MILLIS,
      decoy: selfContained(plainMd4.example),
      ...compared(digest, md4),
    }
  },
}

const CRAM = /^\{(?:CRAM|HMAC)-MD5\}([0-9a-f]{32})([0-9a-f]{32})$/i
const CRAM_BLOCK = 64
const NOTHING = Buffer.alloc(16)

/** The two states of MD5 that HMAC-MD5 starts from (RFC 2195), the outer one first. hashcat leaves the inner out. */
export const cramMd5: Family = {
  name: 'cram-md5',
  note: '{CRAM-MD5} and {HMAC-MD5} of Dovecot',
  sources: 'Dovecot',
  ceiling: ceilingWords.fixed,
  example: `{CRAM-MD5}${'5a'.repeat(32)}`,
  shape: /^\{(?:CRAM|HMAC)-MD5\}/i,
  read(encoded) {
    const [, outerDigits, innerDigits] = CRAM.exec(encoded) ?? []
    const outer = bytesOfHex(outerDigits ?? '')
    const inner = bytesOfHex(innerDigits ?? '')
    if (outerDigits === undefined || !outer || !inner)
      throw new HashError('malformed', 'behind {CRAM-MD5} stand 64 hexadecimal digits')
    return {
      scheme: 'cram-md5',
      millis: MILLIS,
      decoy: selfContained(cramMd5.example),
      matches: (password) => {
        const key = Buffer.alloc(CRAM_BLOCK)
        key.set(password.length > CRAM_BLOCK ? hash('md5', password, 'buffer') : password)
        const isOuter = sameBytes(md5State(Buffer.from(key.map((byte) => byte ^ 0x5c))), outer)
        const isInner = sameBytes(md5State(Buffer.from(key.map((byte) => byte ^ 0x36))), inner)
        return isOuter && (isInner || inner.equals(NOTHING))
      },
    }
  },
}

const DIGEST = /^\{DIGEST-MD5\}([0-9a-f]{32})$/i

/** RFC 2831: what stands behind the @ of the login is the realm, which may be empty. */
export const digestMd5: Family = {
  name: 'digest-md5',
  note: '{DIGEST-MD5} of Dovecot; with the login, whose realm stands behind its @',
  sources: 'Dovecot',
  ceiling: ceilingWords.fixed,
  example: `{DIGEST-MD5}${'5a'.repeat(16)}`,
  shape: /^\{DIGEST-MD5\}/i,
  read(encoded, { login }) {
    const digest = bytesOfHex(DIGEST.exec(encoded)?.[1] ?? '')
    if (!digest?.length) throw new HashError('malformed', 'behind {DIGEST-MD5} stand 32 hexadecimal digits')
    const [user = '', ...realm] = login.split('@')
    const before = Buffer.from(`${user}:${realm.join('@')}:`)
    return {
      scheme: 'digest-md5',
      millis: 0.02,
      decoy: selfContained(digestMd5.example),
      ...portably(
        compared(digest, (password) => hash('md5', Buffer.concat([before, password]), 'buffer')),
        () => portableDigest('md5', digest, 'prefix', before),
      ),
    }
  },
}

const SCRAM =
  /^\{SCRAM-SHA-(1|256)\}([1-9]\d{0,9}),([A-Za-z0-9+/]{1,88}={0,2}),([A-Za-z0-9+/]{1,88}={0,2}),([A-Za-z0-9+/]{1,88}={0,2})$/i
const SCRAM_DIGESTS = { 1: 'sha1', 256: 'sha256' } as const
const SCRAM_SALT_BYTES = { least: 1, most: 66 }

/** Dovecot does not prepare the password. */
export const dovecotScram: Family = {
  name: 'dovecot-scram',
  note: '{SCRAM-SHA-1} and {SCRAM-SHA-256} of Dovecot',
  sources: 'Dovecot',
  ceiling: ceilingWords.pbkdf2,
  example: scramText('256', '4096'),
  shape: /^\{SCRAM-SHA-(?:1|256)\}/i,
  read(encoded) {
    const [, bits, iterations, salt = '', ...keys] = SCRAM.exec(encoded) ?? []
    if (iterations === undefined || (bits !== '1' && bits !== '256')) {
      throw malformed('a SCRAM hash has iterations, a salt and two keys')
    }
    const digest = SCRAM_DIGESTS[bits]
    const { bytes } = derivationDigests[digest]
    return scramHash({
      nulIsData: false,
      scheme: 'dovecot-scram',
      digest,
      iterations,
      salt: boundedBytes(bytesOfBase64(salt), 'the salt', SCRAM_SALT_BYTES),
      key: Buffer.concat(keys.map((key) => keyBytes(bytesOfBase64(key), bytes))),
      written: () => scramText(bits, iterations),
      prepared: (password) => password,
      keeps: ['storedKey', 'serverKey'],
    })
  },
}

function scramText(bits: string, digits: string): string {
  const key = Buffer.alloc(bits === '1' ? 20 : 32, 'Z').toString('base64')
  return `{SCRAM-SHA-${bits}}${digits},${Buffer.alloc(16, 'Z').toString('base64')},${key},${key}`
}
