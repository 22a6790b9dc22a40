import { expect, test } from 'vitest'
import { detect, formats, readHash } from '../../src/hashes/index.ts'
import { vectorFiles } from '../helpers/detection-page.ts'
import { readVectors, unsalted } from './vectors.ts'

const HEX_32 = '5a'.repeat(16)
const BASE64_32 = Buffer.alloc(32, 'Z').toString('base64')

test('no string of any vector is claimed by two formats that are told by their shape', () => {
  const told = formats.filter(({ byNameOnly }) => !byNameOnly)
  const strings = vectorFiles().flatMap((file) => readVectors(file).map(({ stored }) => stored.encoded ?? ''))
  expect(strings.length).toBeGreaterThan(1_800)
  const claims = (text: string) => told.filter(({ shape }) => shape.test(text)).map(({ name }) => name)
  expect(strings.map(claims).filter((names) => names.length > 1)).toEqual([])
})

test('a format is told exactly, probably or by hash_scheme alone, as it says', () => {
  for (const { name, example, byNameOnly, probable } of formats) {
    const { format, confidence } = detect(example)
    if (byNameOnly) expect(format).not.toBe(name)
    else expect([format, confidence]).toEqual([name, probable ? 'probable' : 'exact'])
  }
})

test.for([
  ['{sha256} and 80 hexadecimal digits', `{sha256}${'5a'.repeat(40)}`, 'spring-delegating'],
  ['{SHA256} and 44 characters of base64', `{SHA256}${BASE64_32}`, 'ldap-sha256'],
  ['{sha256} and 44 characters of base64', `{sha256}${BASE64_32}`, 'ldap-sha256'],
  ['{SHA256} and 64 hexadecimal digits', `{SHA256}${'5a'.repeat(32)}`, 'ldap-sha256'],
  ['{SHA256}, 64 hexadecimal digits and a salt', `{SHA256}${'5a'.repeat(32)}:salt`, 'joomla-sha256'],
  ['{SHA-256} and a salt in braces', `{SHA-256}{c2FsdA==}${'5a'.repeat(32)}`, 'spring-delegating'],
  ['{MD5} and 24 characters of base64', '{MD5}WlpaWlpaWlpaWlpaWlpaWg==', 'ldap-md5'],
  ['{MD5} and 32 hexadecimal digits', `{MD5}${HEX_32}`, 'ldap-md5'],
  ['{MD5} and md5crypt, as Dovecot writes it', `{MD5}$1$salt$${'.'.repeat(22)}`, 'ldap-crypt'],
  ['{MD5} and a salt in braces', `{MD5}{c2FsdA==}${HEX_32}`, 'spring-delegating'],
  ['{SMD5} of a directory', `{SMD5}${Buffer.alloc(24, 'Z').toString('base64')}`, 'ldap-smd5'],
  ['{smd5} of AIX', `{smd5}salt$${'.'.repeat(22)}`, 'aix'],
  ['{SSHA256} of a directory', `{SSHA256}${Buffer.alloc(40, 'Z').toString('base64')}`, 'ldap-ssha256'],
  // Eight characters of salt, then the digest: base64 as a directory's with six bytes of salt, and no mark of its own.
  ['{SSHA256} of Elasticsearch', `{SSHA256}saltsalt${BASE64_32}`, 'ldap-ssha256'],
  ['{ssha256} of AIX', `{ssha256}06$salt$${'.'.repeat(43)}`, 'aix'],
  ['{PBKDF2} with 20 bytes of key', '{PBKDF2}1000$c2FsdA$WlpaWlpaWlpaWlpaWlpaWlpaWlo', 'ldap-pbkdf2'],
  ['{PBKDF2} with 32 bytes of key', `{PBKDF2}10000$${BASE64_32}$${BASE64_32}`, 'elasticsearch-pbkdf2'],
  ['{PBKDF2}$1$ of Dovecot', `{PBKDF2}$1$salt$5000$${'5a'.repeat(20)}`, 'dovecot-pbkdf2'],
  ['{pbkdf2} of Spring', `{pbkdf2}${'5a'.repeat(48)}`, 'spring-delegating'],
  ['$md5$ of Solaris', `$md5$salt$$${'.'.repeat(22)}`, 'sunmd5'],
  ['$md5$ of Ory Kratos', '$md5$WlpaWlpaWlpaWlpaWlpaWg==', 'kratos-pf'],
  ['$scrypt$ with log2 of N', `$scrypt$ln=16,r=8,p=1$c2FsdA$${'W'.repeat(43)}`, 'scrypt-phc'],
  [
    '$scrypt$ with N, as Ory Kratos writes it',
    `$scrypt$ln=16384,r=8,p=1$c2FsdA==$${BASE64_32}`,
    'scrypt-kratos',
  ],
] as const)('%s is exactly one family', ([, encoded, format]) => {
  expect(detect(encoded)).toEqual({ confidence: 'exact', format })
})

test.for([
  ['13 characters of crypt', 'CaCarryover..', 'descrypt'],
  ['an underscore and 19 characters', '_J9..CarrCarryover..', 'bsdi-crypt'],
  ['a digest, a salt and a version', `${HEX_32}:salt:0`, 'magento'],
  ['base64 that begins with a zero byte', `AA${'a'.repeat(64)}==`, 'aspnet-identity'],
  ['md5$salt$digest, which Django and Flask have both written', `md5$salt$${HEX_32}`, 'django-salted'],
] as const)('%s is only probable', ([, encoded, format]) => {
  expect(detect(encoded)).toEqual({ confidence: 'probable', format })
})

test.for([8, 16, 20, 28, 32, 48, 64])('a bare digest of %i bytes is never guessed', (bytes) => {
  const digest = Buffer.alloc(bytes, 0xa7)
  for (const encoded of [
    digest.toString('hex'),
    digest.toString('hex').toUpperCase(),
    digest.toString('base64'),
  ])
    expect(detect(encoded)).toEqual({ confidence: 'needs a scheme', format: null })
})

test.for(['', ' ', 'NULL', '*', '*0', '*1', '!', '!!', `!${HEX_32}`, 'x', 'NP', 'LOCK', 'hunter2'])(
  'nothing is taken for plain text or for a hash: %s',
  (encoded) => {
    expect(detect(encoded)).toEqual({ confidence: 'needs a scheme', format: null })
    expect(() => readHash(unsalted(encoded))).toThrow()
  },
)
