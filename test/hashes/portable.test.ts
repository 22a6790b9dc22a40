import { spawnSync } from 'node:child_process'
import { createCipheriv, createHash, createHmac, pbkdf2Sync, scryptSync } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { hashRaw } from '@node-rs/argon2'
import { verifySync } from '@node-rs/bcrypt'
import { hashSync } from 'bcryptjs'
import { expect, test } from 'vitest'
import type { StoredHash } from '../../src/domain.ts'
import { argon2 } from '../../src/hashes/argon2.ts'
import { classify } from '../../src/hashes/classify.ts'
import { type HashContext, NO_CONTEXT } from '../../src/hashes/context.ts'
import { firebaseScryptKratos } from '../../src/hashes/firebase-scrypt-kratos.ts'
import { harden } from '../../src/hashes/index.ts'
import { matchesPassword } from '../../src/hashes/password-forms.ts'
import { portableOf } from '../../src/hashes/portable.ts'
import type { PortableHash, PortableKind } from '../../src/portable-hash.ts'
import { sized } from '../helpers/assurance.ts'
import { hasOpenssl } from '../helpers/certificates.ts'
import { HARDENING_CONTEXT, readVectors, unsalted, type Vector } from './vectors.ts'

const files = readdirSync(new URL('vectors/', import.meta.url)).map((file) => file.replace(/\.json$/, ''))
const vectors: readonly (Vector & { readonly file: string })[] = files.flatMap((file) =>
  readVectors(file).map((vector) => ({ ...vector, file })),
)

/** Of every hash that is portable: what it is, and of which vector. */
const portables = vectors.flatMap((vector) => {
  const hash = vector.bomb ? null : portableOf(vector.stored, vector.context)
  return hash === null ? [] : [{ ...vector, hash }]
})

/** Whether a password is of a hash, by nothing but what the hash is made of. */
async function accepts(hash: PortableHash, password: Buffer): Promise<boolean> {
  switch (hash.kind) {
    case 'bcrypt':
      return verifySync(
        password,
        `$${hash.revision}$${String(hash.cost).padStart(2, '0')}$${hash.salt}${hash.digest}`,
      )
    case 'digest': {
      const salt = hash.salt ?? Buffer.alloc(0)
      const message = hash.position === 'prefix' ? [salt, password] : [password, salt]
      return createHash(hash.algorithm).update(Buffer.concat(message)).digest().equals(hash.digest)
    }
    case 'hmac':
      return createHmac(hash.algorithm, hash.key).update(password).digest().equals(hash.digest)
    case 'pbkdf2': {
      const { salt, iterations, derived, algorithm } = hash
      return pbkdf2Sync(password, salt, iterations, derived.length, algorithm).equals(derived)
    }
    case 'scrypt': {
      const { salt, derived, cost: N, blockSize: r, parallelism: p } = hash
      return scryptSync(password, salt, derived.length, { N, r, p, maxmem: 2 ** 30 }).equals(derived)
    }
    case 'argon2': {
      const algorithm = { argon2d: 0, argon2i: 1, argon2id: 2 }[hash.type]
      const { salt, memory: memoryCost, passes: timeCost, lanes: parallelism, digest } = hash
      const cost = { memoryCost, timeCost, parallelism, outputLen: digest.length }
      return (await hashRaw(password, { algorithm, version: 1, salt, ...cost })).equals(digest)
    }
    case 'crypt':
      return byOpenssl(hash.text, password) === hash.text
    case 'phpass':
      return hash.text.slice(12) === phpassDigits(hash, password)
    case 'firebase-scrypt': {
      const salt = Buffer.concat([hash.salt, hash.saltSeparator])
      const cost = { N: 2 ** hash.memoryCost, r: hash.rounds, p: 1, maxmem: 2 ** 30 }
      const cipher = createCipheriv('aes-256-ctr', scryptSync(password, salt, 32, cost), Buffer.alloc(16))
      return cipher.update(hash.signerKey).equals(hash.digest)
    }
  }
}

/** What crypt(3) answers, by `openssl passwd`. */
function byOpenssl(text: string, password: Buffer): string {
  const [, id = '', rounds = '', salt = ''] = /^\$([156])\$(rounds=\d+\$)?([^$]*)\$/.exec(text) ?? []
  const input = Buffer.concat([password, Buffer.from('\n')])
  const args = ['passwd', `-${id}`, '-salt', `${rounds}${salt}`, '-stdin']
  return spawnSync('openssl', args, { input }).stdout.toString('latin1').trimEnd()
}

function phpassDigits({ salt, log2Rounds }: PortableHash & { kind: 'phpass' }, password: Buffer): string {
  const md5 = (...parts: Buffer[]) => createHash('md5').update(Buffer.concat(parts)).digest()
  let digest = md5(Buffer.from(salt, 'latin1'), password)
  for (let round = 0; round < 2 ** log2Rounds; round += 1) digest = md5(digest, password)
  const letters = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let digits = ''
  for (let at = 0; at < 16; at += 3) {
    const group = digest.subarray(at, at + 3)
    let number = group.reduce((sum, byte, place) => sum + byte * 256 ** place, 0)
    for (let digit = 0; digit <= group.length; digit += 1, number = Math.floor(number / 64))
      digits += letters[number % 64]
  }
  return digits
}

/**
 * Whether what a hash is made of can be asked about this password: origins may take no NUL, UTF-8 has no byte 0xFF (which
 * some `$2a$` treat in their own way), and `openssl passwd` takes one short line that is not empty.
 */
function canBeAsked({ hash, password }: { hash: PortableHash; password: Buffer }): boolean {
  if (password.includes(0)) return false
  if (hash.kind === 'bcrypt') return !password.includes(0xff)
  if (hash.kind !== 'crypt') return true
  return hasOpenssl && password.length > 0 && password.length < 250 && !password.includes(0x0a)
}

/** Milliseconds of one core, about: what a check of the hash takes. */
function workOf(hash: PortableHash): number {
  switch (hash.kind) {
    case 'bcrypt':
      return 2 ** hash.cost * 0.06
    case 'pbkdf2':
      return hash.iterations * 0.001
    case 'scrypt':
      return hash.cost * hash.blockSize * hash.parallelism * 0.0003
    case 'argon2':
      return hash.memory * hash.passes * 0.0005
    case 'crypt':
      return Number(/rounds=(\d+)/.exec(hash.text)?.[1] ?? 5_000) * 0.002
    case 'phpass':
      return 2 ** hash.log2Rounds * 0.005
    case 'firebase-scrypt':
      return 2 ** hash.memoryCost * hash.rounds * 0.0003
    case 'digest':
    case 'hmac':
      return 0
  }
}

/** The cheapest first. */
const asked = portables.filter(canBeAsked).sort((a, b) => workOf(a.hash) - workOf(b.hash))

/** A dozen of the hashes take half of the time of all. */
const MOST_WORK_MS = 400

/** Somewhat fewer than there are. */
const LEAST: readonly { readonly kind: PortableKind; readonly least: number }[] = [
  { kind: 'bcrypt', least: 80 },
  { kind: 'digest', least: 180 },
  { kind: 'hmac', least: 5 },
  { kind: 'pbkdf2', least: 75 },
  { kind: 'scrypt', least: 15 },
  { kind: 'argon2', least: 30 },
  { kind: 'crypt', least: 65 },
  { kind: 'phpass', least: 15 },
  { kind: 'firebase-scrypt', least: 8 },
]

/** The files of vectors, by the kinds that are found in them; in no other file is anything portable. */
const PORTABLE_FILES: Readonly<Record<string, readonly string[]>> = {
  argon2: ['argon2-django', 'argon2-prefixed', 'argon2', 'mediawiki-argon2'],
  'argon2 bcrypt': ['shiro2'],
  'argon2 bcrypt scrypt': ['spring-delegating'],
  'argon2 pbkdf2': ['keycloak'],
  bcrypt: ['bcrypt-django', 'bcrypt', 'mediawiki-bcrypt'],
  'bcrypt crypt': ['ldap-crypt'],
  'bcrypt pbkdf2': ['jenkins'],
  crypt: [
    'juniper-ive',
    'kratos-md5-crypt',
    'kratos-sha256-crypt',
    'kratos-sha512-crypt',
    'md5crypt',
    'sha256crypt',
    'sha512crypt',
  ],
  digest: [
    'cisco-type4',
    'digest-md5',
    'django-salted',
    'joomla-sha256',
    'kratos-pf',
    'ldap-md5',
    'ldap-sha',
    'ldap-sha256',
    'ldap-sha512',
    'ldap-smd5',
    'ldap-ssha',
    'ldap-ssha256',
    'ldap-ssha512',
    'macos-10.4-sha1',
    'macos-10.7-sha512',
    'magento',
    'mediawiki-a',
    'named',
    'oracle11-s',
    'oracle11',
    'passwap-md5salted',
    'postgres-md5',
    'spring-digest',
  ],
  'digest hmac pbkdf2 scrypt': ['recipe'],
  'firebase-scrypt': ['firebase-scrypt-kratos', 'firebase-scrypt'],
  hmac: ['kratos-hmac', 'werkzeug'],
  pbkdf2: [
    'aspnet-identity',
    'atlassian',
    'cisco-type8',
    'crackstation-pbkdf2',
    'cta-pbkdf2',
    'dlitz-pbkdf2',
    'dovecot-pbkdf2',
    'elasticsearch-pbkdf2',
    'grub-pbkdf2',
    'hashcat-pbkdf2',
    'ldap-pbkdf2',
    'ldap389-pbkdf2',
    'macos-ml',
    'mediawiki-pbkdf2',
    'netiq-sspr',
    'pbkdf2-django',
    'pbkdf2-passlib',
    'pbkdf2-phc',
    'seafile-pbkdf2',
    'web2py',
  ],
  phpass: ['phpass'],
  scrypt: [
    'cisco-type9',
    'scrypt-django-3rdparty',
    'scrypt-django',
    'scrypt-hashcat',
    'scrypt-kratos',
    'scrypt-phc',
    'scrypt-raw',
    'spring-scrypt',
  ],
}

const affordable = asked.filter(({ hash }) => workOf(hash) <= sized(MOST_WORK_MS, Number.POSITIVE_INFINITY))

test('few hashes are too dear for every run', () => {
  expect(asked.length - affordable.length).toBeLessThan(asked.length / 30)
})

test.for(affordable)('what $file $id is made of says what the hash says', async (vector) => {
  const { hash, password, expect: right } = vector
  expect(await accepts(hash, password)).toBe(right)
})

test.for(LEAST)(
  '$least hashes and more of the kind $kind accept their password and no other',
  async (row) => {
    const right = asked.filter(({ hash, expect }) => expect && hash.kind === row.kind)
    expect(right.length, JSON.stringify(countsOf(right))).toBeGreaterThanOrEqual(hasOpenssl ? row.least : 0)
    for (const { hash, password } of right.slice(0, 5)) {
      expect(await accepts(hash, password)).toBe(true)
      for (const other of [`~${password}`, `${password}`.toUpperCase() + '~'.repeat(80), ''])
        if (!password.equals(Buffer.from(other)) && (other !== '' || hash.kind !== 'crypt'))
          expect(await accepts(hash, Buffer.from(other))).toBe(false)
    }
  },
)

function countsOf(hashes: readonly { readonly file: string }[]): Readonly<Record<string, number>> {
  const found = [...new Set(hashes.map(({ file }) => file))]
  return Object.fromEntries(found.map((name) => [name, hashes.filter(({ file }) => file === name).length]))
}

test('vectors that cannot be used are not portable', () => {
  const unusable = vectors.filter(({ stored, context }) => !classify(stored, context).usable)
  expect(unusable.length).toBeGreaterThan(300)
  expect(unusable.filter(({ stored, context }) => portableOf(stored, context) !== null)).toEqual([])
  expect(
    vectors.filter(({ bomb }) => bomb).filter(({ stored }) => !unusable.some((one) => one.stored === stored)),
  ).toEqual([])
})

test('which vectors are portable, and as what', () => {
  const found: Record<string, string[]> = {}
  for (const file of files) {
    const kinds = new Set(portables.filter((one) => one.file === file).map(({ hash }) => hash.kind))
    if (kinds.size > 0)
      found[[...kinds].sort().join(' ')] = [...(found[[...kinds].sort().join(' ')] ?? []), file]
  }
  expect(found).toEqual(PORTABLE_FILES)
})

const SALTS = ['', 'salt', 'a\0b', '\0', 'Zürich €', '\u{1f9c2}', "it's.(a)", ' ']
const WAYS = (['md5', 'sha1', 'sha256', 'sha512'] as const).flatMap((algorithm) =>
  (['prefix', 'suffix'] as const).flatMap((position) =>
    SALTS.map((salt) => ({ algorithm, position, salt, shown: JSON.stringify(salt) })),
  ),
)

test.for(WAYS)('$algorithm with $shown as its $position', async ({ algorithm, position, salt }) => {
  const password = Buffer.from('Pässwort 1')
  const bytes = Buffer.from(salt)
  const message = position === 'prefix' ? [bytes, password] : [password, bytes]
  const digest = createHash(algorithm).update(Buffer.concat(message)).digest()
  const joined = position === 'prefix' ? '$salt.$pass' : '$pass.$salt'
  for (const { scheme, encoded } of [
    { scheme: `${algorithm}(${joined})`, encoded: digest.toString('hex') },
    { scheme: `${algorithm}(${joined})`, encoded: digest.toString('hex').toUpperCase() },
    { scheme: `${algorithm}(${joined})`, encoded: digest.toString('base64') },
    { scheme: `hex(${algorithm}(${joined}))`, encoded: digest.toString('hex').toUpperCase() },
    { scheme: `HEX(${algorithm}(${joined}))`, encoded: digest.toString('hex') },
    { scheme: `b64(${algorithm}(${joined}))`, encoded: digest.toString('base64') },
    { scheme: `b64(hex(${algorithm}(${joined})))`, encoded: base64(Buffer.from(digest.toString('hex'))) },
  ]) {
    const stored = { ...unsalted(encoded, scheme), salt }
    const found = portableOf(stored, NO_CONTEXT)
    const known = { kind: 'digest', algorithm, digest, salt: salt === '' ? null : bytes }
    expect(found).toEqual({ ...known, position: salt === '' ? expect.any(String) : position })
    expect(found && (await accepts(found, password))).toBe(true)
    expect(await isRight(stored, password)).toBe(true)
  }
  const ldap = { md5: 'SMD5', sha1: 'SSHA', sha256: 'SSHA256', sha512: 'SSHA512' }[algorithm]
  if (position === 'suffix' && salt !== '')
    expect(portableOf(unsalted(`{${ldap}}${base64(Buffer.concat([digest, bytes]))}`), NO_CONTEXT)).toEqual({
      kind: 'digest',
      algorithm,
      digest,
      salt: bytes,
      position,
    })
})

function base64(bytes: Buffer): string {
  return bytes.toString('base64')
}

async function isRight(stored: StoredHash, password: Buffer, context: HashContext = NO_CONTEXT) {
  const classified = classify(stored, context)
  return classified.usable && (await matchesPassword(classified.read, password))
}

const PASSWORD = Buffer.from('Right-pa55word')
const hashed = (algorithm: string, ...parts: (string | Buffer)[]) =>
  createHash(algorithm)
    .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
    .digest()
const SALT = Buffer.from([0, 255, 128, 10, 0, 1, 2, 3])
const BCRYPT = hashSync('Right-pa55word', '$2b$04$CarryoverCarryoverCarO')
const recipes = new Map([['ours', 'sha256($salt.$pass)']])

/** What vectors do not show: a right password each, and what it is made of. */
const MADE: readonly { what: string; stored: StoredHash; context?: HashContext; kind: PortableKind }[] = [
  {
    what: 'PBKDF2 of Werkzeug',
    stored: unsalted(
      `pbkdf2:sha256:1000$salt$${pbkdf2Sync(PASSWORD, 'salt', 1000, 32, 'sha256').toString('hex')}`,
    ),
    kind: 'pbkdf2',
  },
  {
    what: 'scrypt of Werkzeug',
    stored: unsalted(`scrypt:1024:8:1$salt$${scryptSync(PASSWORD, 'salt', 64, { N: 1024 }).toString('hex')}`),
    kind: 'scrypt',
  },
  {
    what: 'a digest of Werkzeug without salt',
    stored: unsalted(`sha256$$${hashed('sha256', PASSWORD).toString('hex')}`, 'werkzeug'),
    kind: 'digest',
  },
  {
    what: 'one round of FSHP',
    stored: unsalted(`{FSHP1|8|1}${base64(Buffer.concat([SALT, hashed('sha256', SALT, PASSWORD)]))}`),
    kind: 'digest',
  },
  {
    what: 'one iteration of Shiro',
    stored: unsalted(`$shiro1$SHA-512$1$${base64(SALT)}$${base64(hashed('sha512', SALT, PASSWORD))}`),
    kind: 'digest',
  },
  {
    what: 'PBKDF2 of Spring where the length tells its parameters',
    stored: unsalted(
      Buffer.concat([SALT, pbkdf2Sync(PASSWORD, SALT, 360_000, 20, 'sha1')]).toString('hex'),
      'spring-pbkdf2',
    ),
    kind: 'pbkdf2',
  },
  {
    what: 'bcrypt of the forum',
    stored: unsalted(`Bcrypt:${BCRYPT.replace('$2b$', '$2a$')}`, 'wbb4'),
    kind: 'bcrypt',
  },
  { what: 'bcrypt as a recipe', stored: unsalted(BCRYPT, 'bcrypt($pass)'), kind: 'bcrypt' },
  {
    what: 'a recipe of the operator by its name',
    stored: { ...unsalted(hashed('sha256', 'é', PASSWORD).toString('hex'), 'ours'), salt: 'é' },
    context: { ...NO_CONTEXT, recipes },
    kind: 'digest',
  },
  {
    what: 'a salt of several parts of the row',
    stored: {
      ...unsalted(
        hashed('sha1', 'X-ann-7-', SALT, PASSWORD).toString('hex'),
        "sha1('X-'.lower($login).'-'.$id.'-'.unhex($salt).$pass)",
      ),
      salt: SALT.toString('hex'),
      login: 'Ann',
      id: '7',
    },
    kind: 'digest',
  },
  {
    what: 'an HMAC with the salt as its key, in base64',
    stored: {
      ...unsalted(
        base64(createHmac('sha512', 'key\0').update(PASSWORD).digest()),
        'hmac_sha512($salt,$pass)',
      ),
      salt: 'key\0',
    },
    kind: 'hmac',
  },
  {
    what: 'the only candidate of a cohort',
    stored: unsalted(hashed('md5', PASSWORD).toString('hex')),
    context: { ...NO_CONTEXT, candidates: new Map([['*', ['md5($pass)', 'sha1($pass)']]]) },
    kind: 'digest',
  },
]

test.for(MADE)('$what', async ({ stored, context = NO_CONTEXT, kind }) => {
  const found = portableOf(stored, context)
  expect(found?.kind).toBe(kind)
  expect(await isRight(stored, PASSWORD, context)).toBe(true)
  expect(found && (await accepts(found, PASSWORD))).toBe(true)
  expect(found && (await accepts(found, Buffer.from('right-pa55word')))).toBe(false)
})

const SHA1 = hashed('sha1', PASSWORD).toString('hex')
const secrets = new Map([['pepper', Buffer.from('pepper')]])

/** What no portable kind says, though our check can be asked. */
const NOT_PORTABLE: readonly { what: string; stored: StoredHash; context?: HashContext }[] = [
  {
    what: 'a pepper as a salt',
    stored: unsalted(SHA1, 'sha1($pass.$pepper)'),
    context: { ...NO_CONTEXT, secrets },
  },
  {
    what: 'a pepper as a key',
    stored: unsalted(SHA1, 'hmac_sha1($pepper,$pass)'),
    context: { ...NO_CONTEXT, secrets },
  },
  { what: 'UTF-16', stored: unsalted(SHA1, 'sha1(utf16le($pass))') },
  { what: 'ISO 8859-1', stored: unsalted(SHA1, 'sha1(latin1($pass))') },
  { what: 'NFC', stored: unsalted(SHA1, 'sha1(nfc($pass))') },
  { what: 'small letters', stored: unsalted(SHA1, 'sha1(lower($pass))') },
  { what: 'blanks taken away', stored: unsalted(SHA1, 'sha1(trim($pass))') },
  { what: 'a password cut short', stored: unsalted(SHA1, 'sha1(substr($pass,0,8))') },
  { what: 'a digest cut short', stored: unsalted(SHA1.slice(0, 32), 'substr(sha1($pass),0,16)') },
  { what: 'salt on both sides', stored: { ...unsalted(SHA1, 'sha1($salt.$pass.$salt)'), salt: 's' } },
  { what: 'the password twice', stored: unsalted(SHA1, 'sha1($pass.$pass)') },
  { what: 'the password as a key', stored: { ...unsalted(SHA1, 'hmac_sha1($pass,$salt)'), salt: 's' } },
  {
    what: 'an HMAC of more than the password',
    stored: { ...unsalted(SHA1, "hmac_sha1($salt,$pass.'!')"), salt: 's' },
  },
  {
    what: 'PBKDF2 of a digest',
    stored: { ...unsalted(SHA1, 'pbkdf2_sha1(hex(md5($pass)),$salt,1,20)'), salt: 's' },
  },
  {
    what: 'scrypt of a digest',
    stored: { ...unsalted(SHA1, 'scrypt(hex(md5($pass)),$salt,16,1,1,20)'), salt: 's' },
  },
  { what: 'PBKDF2 with MD5', stored: unsalted(`md5:1:c2FsdA==:${base64(Buffer.concat([SALT, SALT]))}`) },
  { what: 'a digest of a digest', stored: unsalted(SHA1, 'sha1(sha1($pass))') },
  { what: 'a salt that is derived from the password', stored: unsalted(SHA1, 'sha1(md5($pass).$pass)') },
  { what: 'two rounds', stored: unsalted(SHA1, 'repeat(1,sha1,sha1($pass))') },
  { what: 'another digest', stored: unsalted(SHA1, 'ripemd160($pass)') },
  {
    what: 'a form of the password besides',
    stored: unsalted(SHA1, 'sha1'),
    context: { ...NO_CONTEXT, forms: ['as-sent', 'nfc'] },
  },
  {
    what: 'two candidates that may be meant',
    stored: unsalted(SHA1),
    context: { ...NO_CONTEXT, candidates: new Map([['*', ['sha1', 'ripemd160']]]) },
  },
  { what: 'a digest of Django or an HMAC of Werkzeug', stored: unsalted(`sha1$salt$${SHA1}`) },
  { what: 'MD5 or MD4 of Spring', stored: unsalted(SHA1.slice(8), 'spring-digest') },
  {
    what: 'hexadecimal in capitals where the recipe makes small ones',
    stored: unsalted(base64(Buffer.from(SHA1.toUpperCase())), 'b64(hex(sha1($pass)))'),
  },
  { what: 'bcrypt of bcrypt', stored: unsalted(BCRYPT.replace('$2b$', '$2a$'), 'wbb4') },
  { what: 'bcrypt of a digest', stored: unsalted(BCRYPT, 'bcrypt(hex(md5($pass)))') },
  { what: 'bcrypt of the faulty revision', stored: unsalted(BCRYPT.replace('$2b$', '$2x$')) },
  { what: 'bcrypt of the first revision', stored: unsalted(BCRYPT.replace('$2b$', '$2$')) },
  { what: 'Argon2 of the version before', stored: unsalted(argon2.example.replace('v=19', 'v=16')) },
  { what: 'Argon2 with associated data', stored: unsalted(argon2.example.replace('p=1', 'p=1,data=c2FsdA')) },
  {
    what: 'a stored password',
    stored: unsalted('Right-pa55word', 'plaintext'),
    context: { ...NO_CONTEXT, plaintext: true },
  },
  { what: 'Firebase with two lanes', stored: unsalted(firebaseScryptKratos.example.replace('p=1', 'p=2')) },
]

test.for(NOT_PORTABLE)('$what is not portable', ({ stored, context = NO_CONTEXT }) => {
  expect(classify(stored, context)).toMatchObject({ usable: true })
  expect(portableOf(stored, context)).toBeNull()
})

test.for([
  null,
  '',
  '*',
  '!locked',
  'rubbish',
  SHA1,
  '$2b$10$short',
  '$2b$31$CarryoverCarryoverCarOnobodyKnowsAPasswordForThisHas.',
])('what cannot be used is not portable: %#', (encoded) => {
  expect(portableOf(unsalted(encoded), NO_CONTEXT)).toBeNull()
})

test('a hardened row is not portable, whatever was hardened', async () => {
  const row = { ...unsalted(SHA1, 'sha1'), id: '1' }
  const hardened = await harden(row, HARDENING_CONTEXT, { dry: false })
  expect(portableOf(row, HARDENING_CONTEXT)).not.toBeNull()
  const stored = 'encoded' in hardened ? { ...row, encoded: String(hardened.encoded) } : row
  expect(await isRight(stored, PASSWORD, HARDENING_CONTEXT)).toBe(true)
  expect(portableOf(stored, HARDENING_CONTEXT)).toBeNull()
})
