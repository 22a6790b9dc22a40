import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { afterAll, expect, test } from 'vitest'
import { openTarget, readOutboundSettings, targetSettingsDigest } from '../src/config-targets.ts'
import { ConfigError } from '../src/settings-reader.ts'
import { TargetError, type TargetKind, type TargetSettings } from '../src/targets/target.ts'
import { fakeKind } from './provision/fake-target.ts'

const directory = mkdtempSync(join(tmpdir(), 'carryover-targets-'))
afterAll(() => rmSync(directory, { recursive: true }))
const file = (name: string, text: string, mode = 0o600) => {
  const path = join(directory, name)
  writeFileSync(path, text, { mode })
  return path
}
const complete = {
  FAKE_PROVISION_URL: 'https://fake.example',
  FAKE_PROVISION_TOKEN_FILE: file('token', 'secret-one\n'),
}

/** Remembers what it was opened with. */
function kept(): TargetKind & { seen(): TargetSettings | undefined } {
  let settings: TargetSettings | undefined
  const kind = fakeKind()
  return {
    ...kind,
    open: (given) => {
      settings = given
      return kind.open(given)
    },
    seen: () => settings,
  }
}

test('a target is opened with its settings, secrets from their files', () => {
  const kind = kept()
  openTarget(kind, complete)
  expect(kind.seen()).toEqual({ URL: 'https://fake.example', TOKEN: 'secret-one', GROUP: 'all' })
})

test.each([
  {
    title: 'a secret in the environment',
    env: { ...complete, FAKE_PROVISION_TOKEN_FILE: '', FAKE_PROVISION_TOKEN: 'secret-two' },
    says: 'wrong settings:\n  FAKE_PROVISION_TOKEN stands in the environment: only FAKE_PROVISION_TOKEN_FILE is read',
  },
  {
    title: 'a secret in both places',
    env: { ...complete, FAKE_PROVISION_TOKEN: 'secret-two' },
    says: 'wrong settings:\n  FAKE_PROVISION_TOKEN stands in the environment: only FAKE_PROVISION_TOKEN_FILE is read',
  },
  {
    title: 'nothing at all',
    env: {},
    says: 'wrong settings:\n  FAKE_PROVISION_URL is missing\n  FAKE_PROVISION_TOKEN_FILE is missing',
  },
  {
    title: 'a secret that others may read',
    env: { ...complete, FAKE_PROVISION_TOKEN_FILE: file('open', 'secret-three', 0o644) },
    says: /^wrong settings:\n {2}FAKE_PROVISION_TOKEN must be kept from others/,
  },
])('$title is refused, without its value', ({ env, says }) => {
  const complaint = complaintOf(() => openTarget(fakeKind(), env))
  if (typeof says === 'string') expect(complaint).toBe(says)
  else expect(complaint).toMatch(says)
  expect(complaint).not.toContain('secret-')
})

test('a secret that a platform mounts for all can be permitted', () => {
  const env = {
    ...complete,
    FAKE_PROVISION_TOKEN_FILE: file('mounted', 'secret', 0o444),
    SECRET_FILE_MODE: '0444',
  }
  expect(() => openTarget(fakeKind(), env)).not.toThrow()
})

test('settings that make no sense to the target are said under its own name', () => {
  const kind: TargetKind = {
    ...fakeKind(),
    open: () => {
      throw new TargetError('URL must begin with https://')
    },
  }
  expect(complaintOf(() => openTarget(kind, complete))).toBe(
    'wrong settings:\n  FAKE_PROVISION: URL must begin with https://',
  )
})

test.each([
  {
    title: 'another secret',
    env: { ...complete, FAKE_PROVISION_TOKEN_FILE: file('other', 'other') },
    same: true,
  },
  { title: 'a default that is said', env: { ...complete, FAKE_PROVISION_GROUP: 'all' }, same: true },
  { title: 'another group', env: { ...complete, FAKE_PROVISION_GROUP: 'some' }, same: false },
  {
    title: 'another address',
    env: { ...complete, FAKE_PROVISION_URL: 'https://other.example' },
    same: false,
  },
])('$title: the same settings for a plan are $same', ({ env, same }) => {
  const before = openTarget(fakeKind(), complete).settingsDigest
  expect(openTarget(fakeKind(), env).settingsDigest.equals(before)).toBe(same)
  // Away from the network the same settings have the same digest, and no secret is needed.
  const { FAKE_PROVISION_TOKEN_FILE: _, ...withoutSecret } = env
  expect(targetSettingsDigest(fakeKind(), withoutSecret).equals(before)).toBe(same)
})

test('two targets with the same settings do not have the same digest', () => {
  const other = { ...fakeKind(), name: 'other' }
  const env = { OTHER_PROVISION_URL: complete.FAKE_PROVISION_URL }
  expect(targetSettingsDigest(other, env).equals(targetSettingsDigest(fakeKind(), complete))).toBe(false)
})

test('authorities of our own are trusted besides the usual ones, and no private address is called unasked', () => {
  const plain = readOutboundSettings({})
  expect(plain.ca).toBeUndefined()
  expect(plain.allowAddresses.check('10.20.0.1')).toBe(false)
  const pem = '-----BEGIN CERTIFICATE-----\nown\n-----END CERTIFICATE-----'
  const { ca, allowAddresses } = readOutboundSettings({
    OUTBOUND_CA_FILE: file('ca.pem', pem),
    OUTBOUND_ALLOW_ADDRESSES: '10.20.0.0/16, fd00::1',
  })
  expect(ca?.endsWith(pem)).toBe(true)
  expect(ca).toContain(rootCertificates[0])
  expect(allowAddresses.check('10.20.0.1')).toBe(true)
  expect(allowAddresses.check('10.21.0.1')).toBe(false)
  expect(allowAddresses.check('fd00::1', 'ipv6')).toBe(true)
})

test.each([
  {
    env: { OUTBOUND_CA_FILE: file('empty.pem', '') },
    says: /OUTBOUND_CA_FILE must be the path of a file of PEM certificates/,
  },
  { env: { OUTBOUND_CA_FILE: '/nowhere' }, says: /OUTBOUND_CA_FILE must be readable/ },
  {
    env: { OUTBOUND_ALLOW_ADDRESSES: 'anywhere' },
    says: /OUTBOUND_ALLOW_ADDRESSES must be a comma-separated list/,
  },
])('$env is refused', ({ env, says }) => {
  expect(complaintOf(() => readOutboundSettings(env))).toMatch(says)
})

function complaintOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}
