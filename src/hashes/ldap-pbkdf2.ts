import { hash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { selfContained } from './crypt64.ts'
import { bytesOfBase64, bytesOfHex, unpadded } from './encodings.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'
import type { Pbkdf2Digest } from './pbkdf2-check.ts'
import { readPbkdf2 } from './pbkdf2-check.ts'

const COUNT = '([1-9]\\d{0,9})'
const BASE64 = '([A-Za-z0-9+/.]{1,400}={0,2})'

const LDAP_WHOLE = new RegExp(`^\\{PBKDF2(?:-(SHA1|SHA256|SHA512))?\\}${COUNT}\\$${BASE64}\\$${BASE64}$`, 'i')
const LDAP_KEY_BYTES: Readonly<Record<Pbkdf2Digest, number>> = { sha1: 20, sha256: 32, sha512: 64 }
const LDAP_EXAMPLE = ldapText('{PBKDF2-SHA256}', '60000', 16, 32)

/** OpenLDAP's pw-pbkdf2 and passlib. 389 Directory Server writes it too since 2.0. */
export const ldapPbkdf2: Family = {
  name: 'ldap-pbkdf2',
  note: '{PBKDF2}, {PBKDF2-SHA1}, {PBKDF2-SHA256} and {PBKDF2-SHA512} of OpenLDAP',
  sources: 'OpenLDAP (pw-pbkdf2), passlib',
  ceiling: ceilingWords.pbkdf2,
  example: LDAP_EXAMPLE,
  // Without a digest in its name it is SHA-1, and 27 characters; longer ones are Elasticsearch's.
  shape: /^\{PBKDF2(?:-SHA(?:1|256|512)\}|\}\d{1,10}\$[A-Za-z0-9+/.]{1,400}={0,2}\$[A-Za-z0-9+/.]{27}=?$)/i,
  read(encoded) {
    const [, named, digits, salt, key] = LDAP_WHOLE.exec(encoded) ?? []
    if (digits === undefined || salt === undefined || key === undefined) {
      throw new HashError('malformed', 'behind {PBKDF2} stand iterations, a salt and a key, each in base64')
    }
    const saltBytes = bytesOfAdapted64(salt)
    const keyBytes = bytesOfAdapted64(key)
    const digest = digestNamed(named)
    if (keyBytes.length !== LDAP_KEY_BYTES[digest])
      throw new HashError('malformed', 'the key is as long as the digest')
    const prefix = encoded.slice(0, encoded.indexOf('}') + 1)
    return readPbkdf2({
      scheme: 'ldap-pbkdf2',
      digest,
      iterations: Number(digits),
      salt: saltBytes,
      key: keyBytes,
      decoy: selfContained(ldapText(prefix, digits, saltBytes.length, keyBytes.length)),
    })
  },
}

function digestNamed(name: string | undefined): Pbkdf2Digest {
  const lower = name?.toLowerCase()
  return lower === 'sha256' || lower === 'sha512' ? lower : 'sha1'
}

function ldapText(prefix: string, digits: string, saltBytes: number, keyBytes: number): string {
  return `${prefix}${digits}$${unpadded(constant64(saltBytes))}$${unpadded(constant64(keyBytes))}`
}

/** passlib's base64 has a dot for the plus. */
function bytesOfAdapted64(text: string): Buffer {
  return requiredBase64(text.replace(/\./g, '+'))
}

function requiredBase64(text: string): Buffer {
  const bytes = bytesOfBase64(text)
  if (!bytes) throw new HashError('malformed', 'salt and key are base64, with spare bits of zero')
  return bytes
}

function constant64(bytes: number): string {
  return Buffer.alloc(bytes, 'Z').toString('base64')
}

/** The iterations as four bytes, the salt and the key, in one base64. */
const DS389 = { iterationBytes: 4, saltBytes: 64, keyBytes: 256 }
const DS389_BYTES = DS389.iterationBytes + DS389.saltBytes + DS389.keyBytes

/** 389 Directory Server up to 1.4. */
export const ldap389Pbkdf2: Family = {
  name: 'ldap389-pbkdf2',
  note: '{PBKDF2_SHA256} of 389 Directory Server',
  sources: '389 Directory Server up to 1.4',
  ceiling: ceilingWords.pbkdf2,
  example: ds389Text(8192),
  shape: /^\{PBKDF2_SHA256\}/i,
  read(encoded) {
    const bytes = bytesOfBase64(encoded.slice(encoded.indexOf('}') + 1))
    if (bytes?.length !== DS389_BYTES)
      throw new HashError('malformed', `behind {PBKDF2_SHA256} stand ${DS389_BYTES} bytes in base64`)
    const iterations = bytes.readUInt32BE(0)
    return readPbkdf2({
      scheme: 'ldap389-pbkdf2',
      digest: 'sha256',
      iterations,
      salt: bytes.subarray(DS389.iterationBytes, DS389.iterationBytes + DS389.saltBytes),
      key: bytes.subarray(-DS389.keyBytes),
      decoy: selfContained(ds389Text(iterations)),
    })
  },
}

function ds389Text(iterations: number): string {
  const bytes = Buffer.alloc(DS389_BYTES, 'Z')
  bytes.writeUInt32BE(iterations)
  return `{PBKDF2_SHA256}${bytes.toString('base64')}`
}

const ATLASSIAN = { iterations: 10_000, saltBytes: 16, keyBytes: 32 }

export const atlassian: Family = {
  name: 'atlassian',
  aliases: ['atlassian-ads'],
  note: '{PKCS5S2} of Jira, Confluence, Crowd and ApacheDS',
  sources: 'Jira, Confluence, Crowd, ApacheDS',
  ceiling: ceilingWords.fixed,
  example: `{PKCS5S2}${constant64(ATLASSIAN.saltBytes + ATLASSIAN.keyBytes)}`,
  shape: /^\{PKCS5S2\}/i,
  read(encoded) {
    const bytes = bytesOfBase64(encoded.slice(encoded.indexOf('}') + 1))
    if (bytes?.length !== ATLASSIAN.saltBytes + ATLASSIAN.keyBytes)
      throw new HashError('malformed', 'behind {PKCS5S2} stand 48 bytes in base64')
    return readPbkdf2({
      scheme: 'atlassian',
      digest: 'sha1',
      iterations: ATLASSIAN.iterations,
      salt: bytes.subarray(0, ATLASSIAN.saltBytes),
      key: bytes.subarray(ATLASSIAN.saltBytes),
      decoy: selfContained(atlassian.example),
    })
  },
}

const ELASTIC_WHOLE = new RegExp(`^\\{(PBKDF2|PBKDF2_STRETCH)\\}${COUNT}\\$${BASE64}\\$${BASE64}$`)
/** It writes 32 bytes of key and reads others that were written with FIPS in mind. */
const ELASTIC_KEY_BYTES: readonly number[] = [32, 64]

/** Elasticsearch's native realm: SHA-512, and with STRETCH over the SHA-512 of the password in hexadecimal. */
export const elasticsearchPbkdf2: Family = {
  name: 'elasticsearch-pbkdf2',
  note: '{PBKDF2} and {PBKDF2_STRETCH} of Elasticsearch',
  sources: 'Elasticsearch native realm',
  ceiling: ceilingWords.pbkdf2,
  example: elasticText('PBKDF2', '10000', 32, 32),
  shape: /^\{PBKDF2(?:_STRETCH\}|\}\d{1,10}\$[A-Za-z0-9+/]{1,400}={0,2}\$(?![A-Za-z0-9+/.]{27}=?$))/,
  read(encoded) {
    const [, id, digits, salt, key] = ELASTIC_WHOLE.exec(encoded) ?? []
    if (id === undefined || digits === undefined || salt === undefined || key === undefined) {
      throw new HashError('malformed', 'behind {PBKDF2} stand iterations, a salt and a key, each in base64')
    }
    const saltBytes = requiredBase64(salt)
    const keyBytes = requiredBase64(key)
    if (!ELASTIC_KEY_BYTES.includes(keyBytes.length)) {
      throw new HashError(
        'malformed',
        `an Elasticsearch hash has a key of ${ELASTIC_KEY_BYTES.join(' or ')} bytes`,
      )
    }
    return readPbkdf2({
      scheme: 'elasticsearch-pbkdf2',
      digest: 'sha512',
      iterations: Number(digits),
      salt: saltBytes,
      key: keyBytes,
      decoy: selfContained(elasticText(id, digits, saltBytes.length, keyBytes.length)),
      ...(id === 'PBKDF2' ? {} : { prepare: (password) => Buffer.from(hash('sha512', password, 'hex')) }),
    })
  },
}

function elasticText(id: string, digits: string, saltBytes: number, keyBytes: number): string {
  return `{${id}}${digits}$${constant64(saltBytes)}$${constant64(keyBytes)}`
}

const DOVECOT_WHOLE = new RegExp(
  `^\\{PBKDF2\\}\\$1\\$([\\x21-\\x23\\x25-\\x7e]{1,128})\\$${COUNT}\\$([0-9a-f]{40})$`,
  'i',
)
const DOVECOT_EXAMPLE = `{PBKDF2}$1$CarryoverCarryov$5000$${'5a'.repeat(20)}`

/** The salt is its characters. */
export const dovecotPbkdf2: Family = {
  name: 'dovecot-pbkdf2',
  note: '{PBKDF2}$1$ of Dovecot',
  sources: 'Dovecot',
  ceiling: ceilingWords.pbkdf2,
  example: DOVECOT_EXAMPLE,
  shape: /^\{PBKDF2\}\$1\$/i,
  read(encoded) {
    const [, salt, digits, key] = DOVECOT_WHOLE.exec(encoded) ?? []
    const keyBytes = key === undefined ? null : bytesOfHex(key)
    if (salt === undefined || digits === undefined || !keyBytes) {
      throw new HashError('malformed', 'behind {PBKDF2}$1$ stand a salt, rounds and 40 hexadecimal digits')
    }
    return readPbkdf2({
      scheme: 'dovecot-pbkdf2',
      digest: 'sha1',
      iterations: Number(digits),
      salt: Buffer.from(salt),
      key: keyBytes,
      decoy: selfContained(DOVECOT_EXAMPLE.replace('$5000$', `$${digits}$`)),
    })
  },
}

const MACOS_WHOLE = new RegExp(`^\\$ml\\$${COUNT}\\$([0-9a-f]{64})\\$([0-9a-f]{128}(?:[0-9a-f]{128})?)$`, 'i')
const macosText = (digits: string, keyDigits: number) =>
  `$ml$${digits}$${'5a'.repeat(32)}$${'5a'.repeat(keyDigits / 2)}`

/** SALTED-SHA512-PBKDF2 of macOS 10.8 and later, as hashcat and john write it. */
export const macosMl: Family = {
  name: 'macos-ml',
  note: '$ml$ and hexadecimal: macOS since 10.8',
  sources: 'macOS 10.8 and later',
  ceiling: ceilingWords.pbkdf2,
  example: macosText('35000', 128),
  shape: /^\$ml\$/,
  read(encoded) {
    const [, digits, salt, key] = MACOS_WHOLE.exec(encoded) ?? []
    const saltBytes = bytesOfHex(salt ?? '')
    const keyBytes = bytesOfHex(key ?? '')
    if (digits === undefined || key === undefined || !saltBytes || !keyBytes) {
      throw new HashError('malformed', 'a $ml$ hash has iterations, 32 bytes of salt and 64 or 128 of key')
    }
    return readPbkdf2({
      scheme: 'macos-ml',
      digest: 'sha512',
      iterations: Number(digits),
      salt: saltBytes,
      key: keyBytes,
      decoy: selfContained(macosText(digits, key.length)),
    })
  },
}
