import { hash } from 'node:crypto'
import { ceilings, ceilingWords, isWithin } from './ceilings.ts'
import { compared } from './compared.ts'
import { selfContained } from './crypt64.ts'
import { bytesOfBase64, bytesOfHex } from './encodings.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'
import { portableDigest, portably } from './portable-form.ts'

/** RFC 2307 wants a salt and no length; OpenLDAP writes 4 to 16 bytes, 389 Directory Server 8. */
const SALT_BYTES = ceilings.digest.saltBytes
/** 4096 bytes of password. */
const MILLIS = 0.02

interface Digest {
  readonly algorithm: 'md5' | 'sha1' | 'sha224' | 'sha256' | 'sha384' | 'sha512'
  readonly bytes: number
  /** The names between the braces, in any case. */
  readonly names: readonly string[]
}

const DIGESTS: readonly Digest[] = [
  { algorithm: 'md5', bytes: 16, names: ['MD5', 'LDAP-MD5', 'PLAIN-MD5'] },
  { algorithm: 'sha1', bytes: 20, names: ['SHA', 'SHA1', 'SHA-1'] },
  { algorithm: 'sha224', bytes: 28, names: ['SHA224', 'SHA-224'] },
  { algorithm: 'sha256', bytes: 32, names: ['SHA256', 'SHA-256'] },
  { algorithm: 'sha384', bytes: 48, names: ['SHA384', 'SHA-384'] },
  { algorithm: 'sha512', bytes: 64, names: ['SHA512', 'SHA-512'] },
]
const SALTED_NAMES: Readonly<Record<Digest['algorithm'], readonly string[]>> = {
  md5: ['SMD5'],
  sha1: ['SSHA', 'SSHA1', 'SSHA-1'],
  sha224: ['SSHA224', 'SSHA-224'],
  sha256: ['SSHA256', 'SSHA-256'],
  sha384: ['SSHA384', 'SSHA-384'],
  sha512: ['SSHA512', 'SSHA-512'],
}

const UNSALTED_SOURCES = 'OpenLDAP, ApacheDS, AD LDS, IBM Directory Server, Dovecot'
const SALTED_SOURCES = 'OpenLDAP, 389 Directory Server, ApacheDS, Dovecot, Plone, Zope'

/** `{MD5}`, `{SHA}`, `{SHA256}` and so on: the digest of the password, in base64, now and then in hexadecimal. */
export const ldapDigests: readonly Family[] = DIGESTS.map(unsalted)
/** `{SMD5}`, `{SSHA}`, `{SSHA256}` and so on: base64 of the digest of password and salt, and of the salt. */
export const ldapSaltedDigests: readonly Family[] = DIGESTS.map(salted)

function unsalted({ algorithm, bytes, names }: Digest): Family {
  const name = `ldap-${algorithm === 'sha1' ? 'sha' : algorithm}`
  const decoy = selfContained(`{${names[0]}}${Buffer.alloc(bytes, 'Z').toString('base64')}`)
  return {
    name,
    note: `${names.map((one) => `{${one}}`).join(', ')} in any case; base64 or hexadecimal`,
    sources: algorithm === 'sha1' ? 'OpenLDAP, htpasswd -s, Netscape' : UNSALTED_SOURCES,
    ceiling: ceilingWords.fixed,
    example: decoy.encoded ?? '',
    // No longer than a digest, because Joomla and Spring put more behind the same braces.
    shape: shapeOf(names, `(?:[A-Za-z0-9+/]{0,${Math.ceil((bytes * 4) / 3)}}={0,3}|[0-9a-f]{${2 * bytes}})`),
    read(encoded) {
      const body = encoded.slice(encoded.indexOf('}') + 1)
      const digest = body.length === 2 * bytes ? bytesOfHex(body) : bytesOfBase64(body)
      if (digest?.length !== bytes) {
        throw new HashError(
          'malformed',
          `an ${name} hash has ${bytes} bytes of digest, in base64 or hexadecimal`,
        )
      }
      return {
        scheme: name,
        millis: MILLIS,
        decoy,
        nulIsData: true,
        ...portably(
          compared(digest, (password) => hash(algorithm, password, 'buffer')),
          () => portableDigest(algorithm, digest, 'suffix', Buffer.alloc(0)),
        ),
      }
    },
  }
}

function salted({ algorithm, bytes }: Digest): Family {
  const names = SALTED_NAMES[algorithm]
  const name = `ldap-${algorithm === 'md5' ? 'smd5' : `s${algorithm === 'sha1' ? 'sha' : algorithm}`}`
  const decoy = selfContained(`{${names[0]}}${Buffer.alloc(bytes + 8, 'Z').toString('base64')}`)
  return {
    name,
    note: `${names.map((one) => `{${one}}`).join(', ')} in any case; base64 of digest and salt`,
    sources: SALTED_SOURCES,
    ceiling: ceilingWords.fixed,
    example: decoy.encoded ?? '',
    // Without a $, which AIX puts behind the same braces.
    shape: shapeOf(names, '[A-Za-z0-9+/]{0,256}={0,3}'),
    read(encoded) {
      const [scheme = '', text = ''] = encoded.split('}')
      const body = /\.hex$/i.test(scheme) ? bytesOfHex(text) : bytesOfBase64(text)
      const saltBytes = (body?.length ?? 0) - bytes
      if (!body || !isWithin(saltBytes, SALT_BYTES)) {
        throw new HashError(
          'malformed',
          `an ${name} hash has ${bytes} bytes of digest and ${SALT_BYTES.least} to ${SALT_BYTES.most} of salt, in base64`,
        )
      }
      const digest = body.subarray(0, bytes)
      const salt = body.subarray(bytes)
      return {
        scheme: name,
        millis: MILLIS,
        decoy,
        nulIsData: true,
        ...portably(
          compared(digest, (password) => hash(algorithm, Buffer.concat([password, salt]), 'buffer')),
          () => portableDigest(algorithm, digest, 'suffix', salt),
        ),
      }
    },
  }
}

/** Dovecot may name the encoding behind a dot. */
function shapeOf(names: readonly string[], body: string): RegExp {
  return new RegExp(`^\\{(?:${names.join('|')})(?:\\.(?:hex|b64|base64))?\\}${body}$`, 'i')
}
