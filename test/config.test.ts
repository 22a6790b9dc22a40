import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigError, readConfig, readHashSettings, settings } from '../src/config.ts'

const TOKEN = 'k3Qm9v-admin-x7Lw2pTzR5-token-Yb8Nd'
const SECRET = 'Bearer c4Vn8s-hook-q1Jf6hGxE3-secret-Mu9Ka'
const complete = { DATABASE_URL: 'postgresql://h/d', ADMIN_TOKENS: TOKEN, OKTA_HOOK_SECRETS: SECRET }

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'carryover-config-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function complaint(environment: Record<string, string>): string {
  try {
    readConfig(environment)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

test('defaults', () => {
  expect(readConfig(complete)).toMatchObject({
    hooksListen: { host: '0.0.0.0', port: 8080 },
    adminListen: { host: '127.0.0.1', port: 8081 },
    hooksDatabase: { url: 'postgresql://h/d', role: 'carryover_hooks' },
    adminDatabase: { url: 'postgresql://h/d', role: 'carryover_admin' },
    throttle: { limit: 10, overall: 100_000, windowSeconds: 900 },
    refusalFloor: 'auto',
    refusalsHighPercent: 20,
    migratedGraceMs: 3_600_000,
    logLevel: 'info',
    tls: undefined,
    hashes: { plaintext: false },
  })
})

test.for([
  { text: undefined, floor: 'auto' },
  { text: 'off', floor: 0 },
  { text: '10', floor: 10 },
  { text: '2000', floor: 2_000 },
])('the floor of refusals: $text', ({ text, floor }) => {
  expect(readConfig({ ...complete, ...(text && { REFUSAL_FLOOR_MS: text }) }).refusalFloor).toBe(floor)
})

test.for(['0', '9', '2001', '1.5', '-20', 'on', '1e3'])('no floor of refusals: %s', (text) => {
  expect(complaint({ ...complete, REFUSAL_FLOOR_MS: text })).toContain(
    'auto, off or a whole number from 10 to 2000',
  )
})

test('accounts that are narrow already are not narrowed', () => {
  const { DATABASE_URL: _, ...rest } = complete
  const config = readConfig({
    ...rest,
    HOOKS_DATABASE_URL: 'postgres://a/d',
    ADMIN_DATABASE_URL: 'postgres://b/d',
  })
  expect([config.hooksDatabase, config.adminDatabase]).toEqual([
    { url: 'postgres://a/d' },
    { url: 'postgres://b/d' },
  ])
})

test.for([
  { text: undefined, forms: ['as-sent'] },
  { text: 'as-sent, nfc,nfkc', forms: ['as-sent', 'nfc', 'nfkc'] },
  { text: 'nfc', forms: ['nfc'] },
])('the forms of a password: $text', ({ text, forms }) => {
  expect(readConfig({ ...complete, PASSWORD_FORMS: text }).hashes.forms).toEqual(forms)
})

test.for(['nfd', 'as-sent,', 'NFC'])('%s is no list of forms', (text) => {
  expect(() => readConfig({ ...complete, PASSWORD_FORMS: text })).toThrow(
    'PASSWORD_FORMS must be a comma-separated list of as-sent, nfc and nfkc',
  )
})

test('plain text is compared only when it is allowed, and the start warns of it', () => {
  const config = readConfig({ ...complete, ALLOW_PLAINTEXT: 'on' })
  expect(config.hashes.plaintext).toBe(true)
  expect(config.warnings.join()).toContain('ALLOW_PLAINTEXT')
  expect(readHashSettings({ ALLOW_PLAINTEXT: 'on' }).plaintext).toBe(true)
  expect(readHashSettings({}).plaintext).toBe(false)
  expect(complaint({ ...complete, ALLOW_PLAINTEXT: 'yes' })).toContain('ALLOW_PLAINTEXT must be one of')
})

test.for([
  { url: 'postgresql://h/d', warned: true },
  { url: 'postgres://u:p%40w@db.example.com:5432/d?sslmode=require', warned: true },
  { url: 'postgresql://u:p@10.0.0.5/d', warned: true },
  { url: 'postgresql://u@localhost.example.com/d', warned: true },
  { url: 'postgresql://u@localhost/d?host=db.example.com', warned: true },
  { url: 'postgresql://u:p@db.example.com/d?sslmode=verify-full', warned: false },
  { url: 'postgresql://u@localhost:5433/d', warned: false },
  { url: 'postgresql://u@127.0.0.1/d', warned: false },
  { url: 'postgresql://u@[::1]:5432/d', warned: false },
  { url: 'postgresql://u@/d?host=%2Ftmp%2Fsockets', warned: false },
  { url: 'postgresql://u@%2Ftmp%2Fsockets/d', warned: false },
])('the start warns of a database elsewhere whose certificate is not checked: $url', ({ url, warned }) => {
  const { warnings } = readConfig({ ...complete, DATABASE_URL: url, HOOKS_DATABASE_URL: 'postgresql://u@/d' })
  const told = warnings.filter((warning) => warning.includes('leads to another'))
  expect(told).toEqual(warned ? ['DATABASE_URL leads to another machine without sslmode=verify-full'] : [])
})

test('several secrets, so that one can be rotated', () => {
  const config = readConfig({ ...complete, OKTA_HOOK_SECRETS: `${SECRET} , ${SECRET}2` })
  expect(config.dialects.get('okta')?.callers.proofs).toEqual({ HOOK_SECRETS: [SECRET, `${SECRET}2`] })
})

const PUBLISHED_KEY = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const key = (text: string) => `whsec_${btoa(text)}`

describe.each([
  { setting: 'OKTA_HOOK_SECRETS', strong: SECRET, of: (text: string) => `Bearer ${text}` },
  { setting: 'OKTA_BASIC', strong: `u:${SECRET}`, of: (text: string) => `${'u'.repeat(40)}:${text}` },
  { setting: 'OKTA_HMAC_SECRETS', strong: key(SECRET), of: key },
])('$setting', ({ setting, strong, of }) => {
  const { OKTA_HOOK_SECRETS: _, ...rest } = complete
  const told = (text: string) => complaint({ ...rest, [setting]: text })

  test('alone turns the dialect on', () => {
    const config = readConfig({ ...rest, [setting]: strong })
    expect([...config.dialects.keys()]).toEqual(['okta'])
    expect(config.warnings.join()).not.toContain(strong)
  })

  test.each([
    { title: 'a short one', weak: of('c4Vn8s-q1Jf6'), says: /holds a (value|password|key) shorter than/ },
    { title: 'a sample', weak: of('changeme-secret-password-change-me-example'), says: /holds a sample/ },
    { title: 'one character', weak: of('q'.repeat(48)), says: /a short text repeated/ },
    { title: 'a text twice', weak: of('x7Lw2pTzR5Yb8Nd-'.repeat(3)), says: /a short text repeated/ },
    { title: 'the same twice', weak: strong, says: /holds the same secret twice/ },
    { title: 'the admin token', weak: of(TOKEN), says: /ADMIN_TOKENS holds a secret that .* holds too/ },
  ])('$title stops the start, beside a good one too', ({ title, weak, says }) => {
    const message = told(`${strong},${weak}`)
    expect(message).toMatch(says)
    expect(message.split('\n')).toHaveLength(2)
    for (const part of [weak, strong, TOKEN]) expect(message.includes(part), 'a value is told').toBe(false)
    if (title !== 'the same twice') expect(told(weak)).toMatch(says)
  })
})

test('a published key stops the start', () => {
  expect(complaint({ ...complete, OKTA_HMAC_SECRETS: PUBLISHED_KEY })).toContain(
    'OKTA_HMAC_SECRETS holds a key that is published',
  )
})

test.each([
  {
    title: 'two dialects',
    change: { ORY_HOOK_SECRETS: SECRET },
    names: ['OKTA_HOOK_SECRETS', 'ORY_HOOK_SECRETS'],
  },
  {
    title: 'two kinds',
    change: { OKTA_BASIC: `user:${SECRET.slice(7)}` },
    names: ['OKTA_HOOK_SECRETS', 'OKTA_BASIC'],
  },
])('a secret of $title stops the start', ({ change, names: [one, other] }) => {
  expect(complaint({ ...complete, ...change })).toBe(
    `wrong settings:\n  ${one} holds a secret that ${other} holds too`,
  )
})

test.each([
  'changeme-changeme-changeme-changeme',
  `${'x'.repeat(40)}`,
  'YOUR-SECRET-HERE-your-secret-here-!!',
])('an admin token that is none: %#', (token) => {
  const message = complaint({ ...complete, ADMIN_TOKENS: token })
  expect(message).toMatch(/^ {2}ADMIN_TOKENS holds a (sample|secret that is)/m)
  expect(message).not.toContain(token)
})

test.for([
  { change: { OKTA_BASIC: 'canary' }, says: /OKTA_BASIC must be/ },
  { change: { OKTA_HMAC_SECRETS: 'canary' }, says: /OKTA_HMAC_SECRETS must be/ },
  { change: { OKTA_CLIENT_SUBJECTS: 'canary' }, says: /OKTA_CLIENT_SUBJECTS must be/ },
  { change: { OKTA_CLIENT_SUBJECTS: 'cn:canary' }, says: /OKTA_CLIENT_SUBJECTS needs TLS_CLIENT_CA_FILE/ },
  { change: { HOOKS_ALLOW: 'canary' }, says: /HOOKS_ALLOW must be/ },
  { change: { TRUSTED_PROXY_HOPS: '-1' }, says: /TRUSTED_PROXY_HOPS must be/ },
  { change: { TLS_CLIENT_CA_FILE: '/etc/hostname' }, says: /TLS_CLIENT_CA_FILE needs TLS_CERT_FILE/ },
  {
    change: { TLS_CERT_FILE: '/etc/passwd', TLS_KEY_FILE: '/etc/passwd', SECRET_FILE_MODE: '0444' },
    says: /TLS_CERT_FILE and the key .* cannot be used together/,
  },
])('what cannot prove anything stops the start: $says', ({ change, says }) => {
  const message = complaint({ ...complete, ...change } as Record<string, string>)
  expect(message).toMatch(says)
  expect(message).not.toContain('canary')
})

test('one message lists everything that is wrong and repeats no value', () => {
  const message = complaint({
    DATABASE_URL: 'mysql://canary',
    ADMIN_TOKENS: 'canary',
    HOOKS_LISTEN: 'canary',
    CHECK_THREADS: '-1',
    LOG_LEVEL: 'canary',
    TLS_CERT_FILE: '/canary',
  })
  for (const name of [
    'DATABASE_URL',
    'ADMIN_TOKENS',
    'OKTA_HOOK_SECRETS',
    'HOOKS_LISTEN',
    'CHECK_THREADS',
    'LOG_LEVEL',
    'TLS_CERT_FILE',
  ]) {
    expect(message.match(new RegExp(`^  ${name} `, 'gm')), name).toHaveLength(1)
  }
  expect(message).not.toContain('canary')
})

test('without a database, the sentence names both ways', () => {
  const { DATABASE_URL: _, ...rest } = complete
  expect(complaint(rest)).toMatch(/DATABASE_URL is missing .*--embedded DIR/)
})

test('a secret in a file is read and not warned about; in the environment it is warned about', () => {
  const path = join(directory, 'tokens')
  writeFileSync(path, `${TOKEN}\n`, { mode: 0o600 })
  const { ADMIN_TOKENS: _, ...rest } = complete
  const config = readConfig({ ...rest, ADMIN_TOKENS_FILE: path })
  expect(config.adminTokens).toEqual([TOKEN])
  expect(config.warnings.join()).not.toContain('ADMIN_TOKENS')
  expect(readConfig(complete).warnings.join()).toContain('ADMIN_TOKENS')
})

describe('the mode of a file that holds a secret', () => {
  const path = (name: string) => join(directory, name)
  const { ADMIN_TOKENS: _, ...rest } = complete
  const toldOf = (mode: string, permitted?: string) => {
    writeFileSync(path('kept'), TOKEN)
    chmodSync(path('kept'), Number.parseInt(mode, 8))
    return complaint({
      ...rest,
      ADMIN_TOKENS_FILE: path('kept'),
      ...(permitted !== undefined && { SECRET_FILE_MODE: permitted }),
    })
  }
  const TOO_OPEN = /^ {2}ADMIN_TOKENS must be kept from others, and .* more than SECRET_FILE_MODE: chmod 600/m

  test.each(['600', '400', '700'])('%s is narrow', (mode) => {
    expect(toldOf(mode)).toBe('')
  })

  test.each(['640', '604', '610', '601', '620', '602', '644', '777'])('%s is too open', (mode) => {
    expect(toldOf(mode)).toMatch(TOO_OPEN)
  })

  test('SECRET_FILE_MODE permits what it says and no more', () => {
    expect([toldOf('440', '0440'), toldOf('640', '440'), toldOf('444', '0444')]).toEqual(['', '', ''])
    for (const told of [toldOf('444', '0440'), toldOf('460', '0440'), toldOf('666', '0444')])
      expect(told).toMatch(TOO_OPEN)
  })

  test.each(['0666', '0720', '7777', '0x1', 'rw', '9'])('%s is no such mode', (mode) => {
    expect(complaint({ ...complete, SECRET_FILE_MODE: mode })).toMatch(
      /SECRET_FILE_MODE must be an octal mode/,
    )
  })

  test('counts for keys of TLS and for secrets of recipes', () => {
    const secrets = path('secrets')
    mkdirSync(secrets)
    writeFileSync(join(secrets, 'pepper'), 'pepper\n', { mode: 0o600 })
    expect(readHashSettings({ HASH_SECRETS_DIR: secrets }).secrets.get('pepper')?.toString()).toBe('pepper')
    chmodSync(join(secrets, 'pepper'), 0o644)
    writeFileSync(path('cert'), 'x')
    writeFileSync(path('key'), 'x', { mode: 0o640 })
    const message = complaint({
      ...complete,
      HASH_SECRETS_DIR: secrets,
      TLS_CERT_FILE: path('cert'),
      TLS_KEY_FILE: path('key'),
    })
    expect(message).toMatch(/^ {2}HASH_SECRETS_DIR must be kept from others/m)
    expect(message).toMatch(/^ {2}TLS_KEY_FILE must be kept from others/m)
  })
})

test.each([
  {
    title: 'an empty file',
    path: () => join(directory, 'empty'),
    says: 'must be in its _FILE, which is empty',
  },
  { title: 'a directory', path: () => directory, says: 'must be the path of a regular file' },
])('$title is no secret, and turns nothing off', ({ path, says }) => {
  writeFileSync(join(directory, 'empty'), '\n', { mode: 0o600 })
  expect(complaint({ ...complete, ORY_HOOK_SECRETS_FILE: path(), SECRET_FILE_MODE: '0555' })).toContain(says)
})

test.each([
  {
    title: 'both the value and the file',
    change: { ADMIN_TOKENS_FILE: '/etc/hostname' },
    says: /ADMIN_TOKENS must be given once/,
  },
  {
    title: 'a file that is not there',
    change: { ADMIN_TOKENS: '', ADMIN_TOKENS_FILE: '/nowhere' },
    says: /ADMIN_TOKENS must be readable/,
  },
])('$title is refused', ({ change, says }) => {
  expect(complaint({ ...complete, ...change })).toMatch(says)
})

test('every setting says what it is for', () => {
  for (const [name, { purpose }] of Object.entries(settings)) expect(purpose, name).toMatch(/^[A-Z`].*\.$/)
})

describe('a dialect whose callers have tokens', () => {
  const { OKTA_HOOK_SECRETS: _, ...rest } = complete
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const entra = {
    ENTRA_TENANT_ID: 'aaaabbbb-0000-cccc-1111-dddd2222eeee',
    ENTRA_DOMAIN: 'contoso.ciamlogin.com',
    ENTRA_AUDIENCE: '00001111-aaaa-2222-bbbb-3333cccc4444',
    ENTRA_KEY: key,
  }

  test('is on with its own settings alone', () => {
    const config = readConfig({ ...rest, ...entra })
    expect([...config.dialects.keys()]).toEqual(['entra'])
    expect(config.warnings.join()).toMatch(/ENTRA_KEY stands in the environment/)
    expect('ENTRA_HOOK_SECRETS' in settings).toBe(false)
  })

  test('takes several keys, in a file', () => {
    const path = join(directory, 'keys.pem')
    writeFileSync(path, `${key}${key}`, { mode: 0o600 })
    const { ENTRA_KEY: _, ...others } = entra
    const config = readConfig({ ...rest, ...others, ENTRA_KEY_FILE: path })
    expect(config.dialects.get('entra')?.own.KEY).toBe(`${key}${key}`.trim())
    expect(config.warnings.join()).not.toContain('ENTRA_KEY')
  })

  test('is off without them', () => {
    expect([...readConfig(complete).dialects.keys()]).toEqual(['okta'])
  })

  test.each(Object.keys(entra))('is not on without %s, and says so', (name) => {
    const message = complaint({ ...complete, ...entra, [name]: '' })
    expect(message).toMatch(new RegExp(`^  ${name} is missing`, 'm'))
  })

  test('an issuer does in place of a domain, and the message names both', () => {
    const issuer = { ENTRA_DOMAIN: '', ENTRA_ISSUER: 'https://login.example/t/v2.0' }
    expect(complaint({ ...rest, ...entra, ...issuer })).toBe('')
    expect(complaint({ ...rest, ...entra, ENTRA_DOMAIN: '' })).toContain(
      'ENTRA_DOMAIN is missing, and so is ENTRA_ISSUER',
    )
  })

  const generated = (bits: number, passphrase?: string) =>
    generateKeyPairSync('rsa', { modulusLength: bits }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
      ...(passphrase && { cipher: 'aes-256-cbc', passphrase }),
    }) as string
  test.each([
    { title: 'no key', text: () => 'canary' },
    { title: 'a short key', text: () => generated(1_024) },
    { title: 'a key with a passphrase', text: () => generated(2_048, 'canary') },
    { title: 'one good key and one torn', text: () => `${key}${key.slice(0, 200)}` },
    {
      title: 'an elliptic key',
      text: () =>
        generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
          type: 'pkcs8',
          format: 'pem',
        }) as string,
    },
  ])('$title is no ENTRA_KEY', ({ text }) => {
    const message = complaint({ ...rest, ...entra, ENTRA_KEY: text() })
    expect(message).toMatch(/^ {2}ENTRA_KEY must be one or more RSA private keys/m)
    expect(message).not.toMatch(/canary|BEGIN/)
  })

  test.each([
    { name: 'ENTRA_TENANT_ID', text: 'canary' },
    { name: 'ENTRA_EXTENSION_ID', text: 'canary' },
    { name: 'ENTRA_DOMAIN', text: 'https://canary' },
    { name: 'ENTRA_ISSUER', text: 'http://canary' },
    { name: 'ENTRA_JWKS_URL', text: 'http://canary/keys' },
    { name: 'ENTRA_JWKS_URL', text: 'http://127.0.0.1@canary/keys' },
    { name: 'ENTRA_JWKS_URL', text: 'https://a:b@canary/keys' },
  ])('$text is no $name', ({ name, text }) => {
    const message = complaint({ ...rest, ...entra, [name]: text })
    expect(message).toMatch(new RegExp(`^  ${name} must be `, 'm'))
    expect(message).not.toContain('canary')
  })
})
