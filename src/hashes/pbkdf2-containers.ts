import { ceilingWords } from './ceilings.ts'
import { bytesOfBase64, bytesOfHex, bytesOfPaddedBase64 } from './encodings.ts'
import type { Family } from './format.ts'
import { boundedBytes, digestNamed, keyBytes, malformed, saltBytes, wholeNumber } from './key-derivation.ts'
import { pbkdf2Container } from './pbkdf2-container.ts'

const KEY_BYTES = { least: 16, most: 128 }

/** By the bytes of the salt: the first releases for Java, C# and PHP, and a Java tutorial that many copied. */
const UNNAMED_KEY_BYTES: ReadonlyMap<number, number> = new Map([
  [24, 24],
  [16, 64],
])

/** Version 2 of defuse/password-hashing; the third number counts the bytes of the key. */
const crackstationPbkdf2 = pbkdf2Container({
  name: 'crackstation-pbkdf2',
  note: 'sha1:64000:18:salt:key, and iterations:salt:key of the first releases',
  sources: 'copies of defuse/password-hashing in PHP, Java, C# and Ruby; Play',
  ceiling: ceilingWords.pbkdf2,
  example: 'sha1:64000:18:Y2FycnlvdmVyY2FycnlvdmVyY2Fycnlv:WlpaWlpaWlpaWlpaWlpaWlpa',
  shape:
    /^(?:(?:sha1|sha256|sha512):\d+:\d+:[^:]*:[^:]+|\d{1,9}:(?:[0-9a-f]{32,64}:[0-9a-f]{32,128}|[A-Za-z0-9+/]{20,44}={0,2}:[A-Za-z0-9+/]{20,88}={0,2}))$/i,
  probable: true,
  whole: /^(?:(sha1|sha256|sha512):)?(\d{1,20}):(?:(\d{1,3}):)?([^:]+):([^:]+)$/i,
  parts: ([named = '', iterations = '', length = '', salt = '', key = '']) => {
    if ((named === '') !== (length === ''))
      throw malformed('the digest and the length of the key stand together')
    const decode = named === '' ? bytesOfEither : bytesOfPaddedBase64
    const salted = saltBytes(decode(salt))
    const bytes = length === '' ? UNNAMED_KEY_BYTES.get(salted.length) : wholeNumber(length, 'the length')
    const expected = boundedBytes(decode(key), 'the derived key', KEY_BYTES)
    if (expected.length !== bytes) throw malformed('the derived key is not as long as it is meant to be')
    const prefix = named === '' ? iterations : `${named}:${iterations}:${length}`
    return {
      digest: named === '' ? 'sha1' : digestNamed(named),
      iterations,
      salt: salted,
      key: expected,
      written: (otherSalt, otherKey) => `${prefix}:${base64(otherSalt)}:${base64(otherKey)}`,
    }
  },
})

/** Hexadecimal in Java's and old PHP's releases, base64 in C#'s. */
function bytesOfEither(text: string): Buffer | null {
  return bytesOfHex(text) ?? bytesOfPaddedBase64(text)
}

const hashcatPbkdf2 = pbkdf2Container({
  name: 'hashcat-pbkdf2',
  note: 'md5, sha1, sha256 and sha512, then iterations, salt and key',
  sources: 'hashcat',
  ceiling: ceilingWords.pbkdf2,
  example: 'sha256:600000:Y2FycnlvdmVyY2Fycnlvdg==:WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^(?:md5|sha1|sha256|sha512):\d+:[A-Za-z0-9+/]*={0,2}:[A-Za-z0-9+/]+={0,2}$/,
  whole: /^(md5|sha1|sha256|sha512):(\d{1,20}):([^:]*):([^:]+)$/,
  parts: ([named = '', iterations = '', salt = '', key = '']) => ({
    digest: digestNamed(named),
    iterations,
    salt: saltBytes(bytesOfBase64(salt)),
    key: keyBytes(bytesOfPaddedBase64(key), 16, 20, 24, 28, 32, 48, 64),
    written: (otherSalt, otherKey) => `${named}:${iterations}:${base64(otherSalt)}:${base64(otherKey)}`,
  }),
})

/** grub-mkpasswd-pbkdf2. */
const grubPbkdf2 = pbkdf2Container({
  name: 'grub-pbkdf2',
  sources: 'GRUB 2',
  ceiling: ceilingWords.pbkdf2,
  example: `grub.pbkdf2.sha512.10000.${'63617272'.repeat(16)}.${'5A'.repeat(64)}`,
  shape: /^grub\.pbkdf2\.sha512\./,
  whole: /^grub\.pbkdf2\.sha512\.(\d{1,20})\.([0-9a-f]+)\.([0-9a-f]+)$/i,
  parts: ([iterations = '', salt = '', key = '']) => ({
    digest: 'sha512',
    iterations,
    nulIsData: false,
    salt: saltBytes(bytesOfHex(salt)),
    key: keyBytes(bytesOfHex(key), 64),
    written: (otherSalt, otherKey) =>
      `grub.pbkdf2.sha512.${iterations}.${upperHex(otherSalt)}.${upperHex(otherKey)}`,
  }),
})

/** Cryptacular: iterations in hexadecimal, base64 of the safe alphabet with padding. */
const ctaPbkdf2 = pbkdf2Container({
  name: 'cta-pbkdf2',
  sources: 'Python (Cryptacular, Pyramid)',
  ceiling: ceilingWords.pbkdf2,
  example: '$p5k2$2710$Y2FycnlvdmVyY2Fycnlvdg==$WlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^\$p5k2\$[0-9a-f]+\$[A-Za-z0-9_=-]*\$[A-Za-z0-9_-]{27}=$/,
  whole: /^\$p5k2\$([0-9a-f]{1,8})\$([A-Za-z0-9_=-]*)\$([A-Za-z0-9_=-]+)$/,
  parts: ([iterations = '', salt = '', key = '']) => ({
    digest: 'sha1',
    iterations: hexadecimal(iterations),
    salt: saltBytes(bytesOfPaddedBase64(standard(salt))),
    key: keyBytes(bytesOfPaddedBase64(standard(key)), 20),
    written: (otherSalt, otherKey) => `$p5k2$${iterations}$${urlSafe(otherSalt)}$${urlSafe(otherKey)}`,
  }),
})

const DLITZ_DEFAULT_ITERATIONS = 400

/** Dwayne Litzenberger's pbkdf2.py: the string up to the key is the salt. */
const dlitzPbkdf2 = pbkdf2Container({
  name: 'dlitz-pbkdf2',
  sources: 'Python (pbkdf2 of Dwayne Litzenberger)',
  ceiling: ceilingWords.pbkdf2,
  example: '$p5k2$2710$carryove$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpa',
  shape: /^\$p5k2\$[0-9a-f]*\$[A-Za-z0-9./]*\$[A-Za-z0-9./]{32}$/,
  whole: /^\$p5k2\$([0-9a-f]{0,8})\$([A-Za-z0-9./]*)\$([A-Za-z0-9./]+)$/,
  parts: ([iterations = '', salt = '', key = '']) => ({
    digest: 'sha1',
    iterations: iterations === '' ? DLITZ_DEFAULT_ITERATIONS : hexadecimal(iterations),
    salt: saltBytes(Buffer.from(`$p5k2$${iterations}$${salt}`)),
    key: keyBytes(bytesOfBase64(key.replaceAll('.', '+')), 24),
    written: (_, otherKey) => `$p5k2$${iterations}$carryove$${base64(otherKey).replaceAll('+', '.')}`,
  }),
})

/** CRYPT() of web2py: iterations, bytes of the key and digest in parentheses; the salt is a text. */
const web2py = pbkdf2Container({
  name: 'web2py',
  sources: 'web2py',
  ceiling: ceilingWords.pbkdf2,
  example: `pbkdf2(1000,20,sha512)$carryovercarryov$${'5a'.repeat(20)}`,
  shape: /^pbkdf2\(\d+,\d+,sha(?:1|224|256|384|512)\)\$/,
  whole: /^pbkdf2\((\d{1,20}),(\d{1,3}),(sha\d{1,3})\)\$([^$]*)\$([0-9a-f]+)$/i,
  parts: ([iterations = '', length = '', named = '', salt = '', key = '']) => {
    const expected = boundedBytes(bytesOfHex(key), 'the derived key', KEY_BYTES)
    return {
      digest: digestNamed(named),
      iterations,
      salt: saltBytes(Buffer.from(salt)),
      key: keyBytes(expected, wholeNumber(length, 'the length')),
      written: (_, otherKey) =>
        `pbkdf2(${iterations},${length},${named})$carryover$${otherKey.toString('hex')}`,
    }
  },
})

const seafilePbkdf2 = pbkdf2Container({
  name: 'seafile-pbkdf2',
  sources: 'Seafile',
  ceiling: ceilingWords.pbkdf2,
  example: `PBKDF2SHA256$10000$${'63617272'.repeat(8)}$${'5a'.repeat(32)}`,
  shape: /^PBKDF2SHA256\$/,
  whole: /^PBKDF2SHA256\$(\d{1,20})\$([0-9a-f]+)\$([0-9a-f]+)$/i,
  parts: ([iterations = '', salt = '', key = '']) => ({
    digest: 'sha256',
    iterations,
    salt: saltBytes(bytesOfHex(salt)),
    key: keyBytes(bytesOfHex(key), 32),
    written: (otherSalt, otherKey) =>
      `PBKDF2SHA256$${iterations}$${otherSalt.toString('hex')}$${otherKey.toString('hex')}`,
  }),
})

/** Families that are PBKDF2 and nothing else. */
export const pbkdf2Containers: readonly Family[] = [
  crackstationPbkdf2,
  hashcatPbkdf2,
  grubPbkdf2,
  ctaPbkdf2,
  dlitzPbkdf2,
  web2py,
  seafilePbkdf2,
]

function hexadecimal(digits: string): number {
  if (digits.startsWith('0')) throw malformed('the number of iterations has no leading zeros')
  return Number.parseInt(digits, 16)
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64')
}

function upperHex(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase()
}

function standard(text: string): string {
  return text.replaceAll('-', '+').replaceAll('_', '/')
}

function urlSafe(bytes: Buffer): string {
  return base64(bytes).replaceAll('+', '-').replaceAll('/', '_')
}
