import { hash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { ab64, bytesOfAb64, bytesOfBase64, bytesOfHex } from './encodings.ts'
import type { Family } from './format.ts'
import { boundedBytes, decoyKey, derivationDigests, keyBytes } from './key-derivation.ts'
import { pbkdf2Container } from './pbkdf2-container.ts'

const SALT_BYTES = { least: 1, most: 128 }

function salted(bytes: Buffer | null): Buffer {
  return boundedBytes(bytes, 'the salt', SALT_BYTES)
}

/** OpenLDAP's pw-pbkdf2 and passlib. 389 Directory Server writes it too since 2.0. */
export const ldapPbkdf2: Family = pbkdf2Container({
  name: 'ldap-pbkdf2',
  note: '{PBKDF2}, {PBKDF2-SHA1}, {PBKDF2-SHA256} and {PBKDF2-SHA512} of OpenLDAP',
  sources: 'OpenLDAP (pw-pbkdf2), passlib',
  ceiling: ceilingWords.pbkdf2,
  example: `{PBKDF2-SHA256}60000$${ab64(decoyKey(16))}$${ab64(decoyKey(32))}`,
  // Without a digest in its name it is SHA-1, and 27 characters; longer ones are Elasticsearch's.
  shape: /^\{PBKDF2(?:-SHA(?:1|256|512)\}|\}\d{1,10}\$[A-Za-z0-9+/.]{1,400}={0,2}\$[A-Za-z0-9+/.]{27}=?$)/i,
  whole: /^(\{PBKDF2(?:-(SHA1|SHA256|SHA512))?\})(\d{1,20})\$([^$]+)\$([^$]+)$/i,
  parts: ([prefix = '', named = '', iterations = '', salt = '', key = '']) => {
    const digest = ldapDigest(named)
    return {
      digest,
      nulIsData: false,
      iterations,
      salt: salted(bytesOfAb64(salt)),
      key: keyBytes(bytesOfAb64(key), derivationDigests[digest].bytes),
      written: (otherSalt, otherKey) => `${prefix}${iterations}$${ab64(otherSalt)}$${ab64(otherKey)}`,
    }
  },
})

function ldapDigest(name: string): 'sha1' | 'sha256' | 'sha512' {
  const lower = name.toLowerCase()
  return lower === 'sha256' || lower === 'sha512' ? lower : 'sha1'
}

/** The iterations as four bytes, the salt and the key, in one base64. */
const DS389 = { iterationBytes: 4, saltBytes: 64, keyBytes: 256 }
const DS389_BYTES = DS389.iterationBytes + DS389.saltBytes + DS389.keyBytes

/** 389 Directory Server up to 1.4. */
export const ldap389Pbkdf2: Family = pbkdf2Container({
  name: 'ldap389-pbkdf2',
  note: '{PBKDF2_SHA256} of 389 Directory Server',
  sources: '389 Directory Server up to 1.4',
  ceiling: ceilingWords.pbkdf2,
  example: ds389Text(8192, decoyKey(DS389.saltBytes), decoyKey(DS389.keyBytes)),
  shape: /^\{PBKDF2_SHA256\}/i,
  whole: /^\{PBKDF2_SHA256\}(.+)$/i,
  parts: ([text = '']) => {
    const bytes = keyBytes(bytesOfBase64(text), DS389_BYTES)
    const iterations = bytes.readUInt32BE(0)
    return {
      digest: 'sha256',
      nulIsData: false,
      iterations,
      salt: bytes.subarray(DS389.iterationBytes, DS389.iterationBytes + DS389.saltBytes),
      key: bytes.subarray(-DS389.keyBytes),
      written: (otherSalt, otherKey) => ds389Text(iterations, otherSalt, otherKey),
    }
  },
})

function ds389Text(iterations: number, salt: Buffer, key: Buffer): string {
  const count = Buffer.alloc(DS389.iterationBytes)
  count.writeUInt32BE(iterations)
  return `{PBKDF2_SHA256}${Buffer.concat([count, salt, key]).toString('base64')}`
}

const ATLASSIAN = { iterations: 10_000, saltBytes: 16, keyBytes: 32 }

export const atlassian: Family = pbkdf2Container({
  name: 'atlassian',
  aliases: ['atlassian-ads'],
  note: '{PKCS5S2} of Jira, Confluence, Crowd and ApacheDS',
  sources: 'Jira, Confluence, Crowd, ApacheDS',
  ceiling: ceilingWords.fixed,
  example: atlassianText(decoyKey(ATLASSIAN.saltBytes), decoyKey(ATLASSIAN.keyBytes)),
  shape: /^\{PKCS5S2\}/i,
  whole: /^\{PKCS5S2\}(.+)$/i,
  parts: ([text = '']) => {
    const bytes = keyBytes(bytesOfBase64(text), ATLASSIAN.saltBytes + ATLASSIAN.keyBytes)
    return {
      digest: 'sha1',
      iterations: ATLASSIAN.iterations,
      salt: bytes.subarray(0, ATLASSIAN.saltBytes),
      key: bytes.subarray(ATLASSIAN.saltBytes),
      written: atlassianText,
    }
  },
})

function atlassianText(salt: Buffer, key: Buffer): string {
  return `{PKCS5S2}${Buffer.concat([salt, key]).toString('base64')}`
}

/** Elasticsearch's native realm: SHA-512, and with STRETCH over the SHA-512 of the password in hexadecimal. */
export const elasticsearchPbkdf2: Family = pbkdf2Container({
  name: 'elasticsearch-pbkdf2',
  note: '{PBKDF2} and {PBKDF2_STRETCH} of Elasticsearch',
  sources: 'Elasticsearch native realm',
  ceiling: ceilingWords.pbkdf2,
  example: `{PBKDF2}10000$${base64(decoyKey(32))}$${base64(decoyKey(32))}`,
  shape: /^\{PBKDF2(?:_STRETCH\}|\}\d{1,10}\$[A-Za-z0-9+/]{1,400}={0,2}\$(?![A-Za-z0-9+/.]{27}=?$))/,
  whole: /^\{(PBKDF2|PBKDF2_STRETCH)\}(\d{1,20})\$([^$]+)\$([^$]+)$/,
  parts: ([id = '', iterations = '', salt = '', key = '']) => ({
    digest: 'sha512',
    iterations,
    salt: salted(bytesOfBase64(salt)),
    // It writes 32 bytes and reads others that were written with FIPS in mind.
    key: keyBytes(bytesOfBase64(key), 32, 64),
    written: (otherSalt, otherKey) => `{${id}}${iterations}$${base64(otherSalt)}$${base64(otherKey)}`,
    ...(id === 'PBKDF2' ? {} : { prepared: (password) => Buffer.from(hash('sha512', password, 'hex')) }),
  }),
})

/** The salt is its characters. */
export const dovecotPbkdf2: Family = pbkdf2Container({
  name: 'dovecot-pbkdf2',
  note: '{PBKDF2}$1$ of Dovecot',
  sources: 'Dovecot',
  ceiling: ceilingWords.pbkdf2,
  example: `{PBKDF2}$1$CarryoverCarryov$5000$${'5a'.repeat(20)}`,
  shape: /^\{PBKDF2\}\$1\$/i,
  whole: /^\{PBKDF2\}\$1\$([\x21-\x23\x25-\x7e]{1,128})\$(\d{1,20})\$([0-9a-f]+)$/i,
  parts: ([salt = '', iterations = '', key = '']) => ({
    digest: 'sha1',
    nulIsData: false,
    iterations,
    salt: salted(Buffer.from(salt)),
    key: keyBytes(bytesOfHex(key), 20),
    written: (otherSalt, otherKey) => `{PBKDF2}$1$${otherSalt}$${iterations}$${otherKey.toString('hex')}`,
  }),
})

/** SALTED-SHA512-PBKDF2 of macOS 10.8 and later, as hashcat and john write it. */
export const macosMl: Family = pbkdf2Container({
  name: 'macos-ml',
  note: '$ml$ and hexadecimal: macOS since 10.8',
  sources: 'macOS 10.8 and later',
  ceiling: ceilingWords.pbkdf2,
  example: `$ml$35000$${decoyKey(32).toString('hex')}$${'5a'.repeat(64)}`,
  shape: /^\$ml\$/,
  whole: /^\$ml\$(\d{1,20})\$([0-9a-f]{64})\$([0-9a-f]+)$/i,
  parts: ([iterations = '', salt = '', key = '']) => ({
    digest: 'sha512',
    nulIsData: false,
    iterations,
    salt: salted(bytesOfHex(salt)),
    key: keyBytes(bytesOfHex(key), 64, 128),
    written: (otherSalt, otherKey) =>
      `$ml$${iterations}$${otherSalt.toString('hex')}$${otherKey.toString('hex')}`,
  }),
})

function base64(bytes: Buffer): string {
  return bytes.toString('base64')
}
