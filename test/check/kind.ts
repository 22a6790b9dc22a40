import type { AttributeRule, TargetKind } from '../../src/targets/target.ts'

const attributes: readonly AttributeRule[] = [
  { name: 'login', required: true, least: 5, most: 100, format: 'email', unique: true },
  { name: 'email', required: true, least: 5, most: 100, format: 'email' },
  { name: 'firstName', required: true, least: 1, most: 50 },
  { name: 'lastName', required: true, least: 1, most: 50 },
  { name: 'mobilePhone', most: 100, format: 'e164' },
  { name: 'title', least: 2, most: 20 },
  { name: 'employeeKey', most: 40, pattern: /^[^-]+-\d+$/, unique: true },
  { name: 'displayName', most: 101 },
  { name: 'emailVerified', format: 'boolean' },
  { name: 'birthday', format: 'date' },
  { name: 'locale', format: 'locale' },
  { name: 'timezone', format: 'zoneinfo' },
  { name: 'profileUrl', format: 'uri' },
  { name: 'middleName', most: 50 },
]

/** A target that asks of users about what large providers ask. It brings nobody. */
export const strictKind: TargetKind = {
  name: 'strict',
  title: 'Strict <Target>',
  settings: {},
  traits: {
    hook: true,
    reads: () => false,
    replacesHash: false,
    updates: true,
    removes: [],
    standard: {
      login: 'login',
      email: 'email',
      'profile.given_name': 'firstName',
      'profile.family_name': 'lastName',
      'profile.phone_number': 'mobilePhone',
      'profile.locale': 'locale',
      'profile.zoneinfo': 'timezone',
    },
    attributes,
    others: 'refused',
    sameness: ['trim', 'nfkc', 'case', 'diacritics'],
    batch: 1,
    callsPerBatch: 1,
    needs: () => [],
  },
  open: () => {
    throw new Error('it brings nobody')
  },
}
