import type { ValueCode } from '../mapping/values.ts'

export type Severity = 'error' | 'warning'

/** What can be wrong with users besides their values. In reports and other people's scripts, so never renamed. */
export type UserCode =
  | 'missing-id'
  | 'missing-login'
  | 'bad-profile'
  | 'unknown-status'
  | 'updated-in-future'
  | 'hash-unusable'
  | 'login-not-looked-up'
  | 'email-not-looked-up'
  | 'duplicate-login'
  | 'email-is-login'
  | 'duplicate-email'
  | 'unmapped-field'
  | 'mapped-field-absent'
  | 'unknown-attribute'
  | 'attribute-to-define'
  | 'missing-attribute'
  | 'too-short'
  | 'too-long'
  | 'pattern'
  | 'not-unique'

export type Code = ValueCode | UserCode

export interface Meaning {
  readonly severity: Severity
  /** Follows "so many users:". */
  readonly says: string
}

export const meanings: Readonly<Record<Code, Meaning>> = {
  'missing-id': { severity: 'error', says: 'the row has no id' },
  'missing-login': { severity: 'error', says: 'there is no login' },
  'bad-profile': { severity: 'error', says: 'the profile is not a JSON object' },
  'unknown-status': {
    severity: 'error',
    says: 'the status is not active, disabled or locked; it counts as disabled',
  },
  'updated-in-future': {
    severity: 'warning',
    says: 'updated_at has not come yet, so later changes may be overlooked',
  },
  'hash-unusable': {
    severity: 'warning',
    says: 'the stored hash cannot be checked: the password has to be reset',
  },
  'login-not-looked-up': {
    severity: 'error',
    says: 'a rule changes the login into one that the copy is not looked up by, so no sign-in would find the user',
  },
  'email-not-looked-up': {
    severity: 'warning',
    says: 'a rule changes the e-mail address into one that the copy is not looked up by: who types it is not found by the hook',
  },
  'duplicate-login': {
    severity: 'error',
    says: 'several users answer to this login, so that none of them can sign in',
  },
  'email-is-login': {
    severity: 'error',
    says: 'the e-mail address is the login of another user, who is found by it',
  },
  'duplicate-email': {
    severity: 'warning',
    says: 'other users have this e-mail address, perhaps the same person',
  },
  'unmapped-field': { severity: 'error', says: 'the field is neither mapped nor dropped' },
  'mapped-field-absent': { severity: 'warning', says: 'the mapping names a field that no user has' },
  'unknown-attribute': { severity: 'error', says: 'the target takes no attribute of this name' },
  'attribute-to-define': {
    severity: 'warning',
    says: 'the attribute has to be defined at the target beforehand',
  },
  'missing-attribute': { severity: 'error', says: 'the target requires a value' },
  'too-short': { severity: 'error', says: 'shorter than the target takes' },
  'too-long': { severity: 'error', says: 'longer than the target takes' },
  pattern: { severity: 'error', says: 'not of the form that the target asks for' },
  'not-unique': { severity: 'error', says: 'the target takes the values of several users for the same' },
  'control-characters': { severity: 'error', says: 'holds control characters or line separators' },
  'bidi-controls': { severity: 'error', says: 'holds characters that turn the direction of writing' },
  'zero-width': { severity: 'error', says: 'holds characters that nobody sees' },
  'half-surrogate': { severity: 'error', says: 'holds half a surrogate pair, which cannot be stored' },
  'replacement-character': {
    severity: 'warning',
    says: 'holds the sign for bytes that were lost in decoding',
  },
  mojibake: { severity: 'warning', says: 'UTF-8 was taken for Windows-1252' },
  'outer-blanks': { severity: 'warning', says: 'begins or ends with blanks' },
  'email-no-at': { severity: 'error', says: 'has no @' },
  'email-several-at': { severity: 'error', says: 'has several @' },
  'email-incomplete': { severity: 'error', says: 'has nothing before or behind the @' },
  'email-blank': { severity: 'error', says: 'has blanks in an e-mail address' },
  'email-dots': { severity: 'error', says: 'has dots at an end or side by side in an e-mail address' },
  'email-no-tld': { severity: 'error', says: 'the domain of the e-mail address has no top level' },
  'email-domain': { severity: 'error', says: 'the domain of the e-mail address cannot exist' },
  'email-too-long': { severity: 'error', says: 'longer than e-mail addresses can be' },
  'email-unusual-characters': {
    severity: 'error',
    says: 'has characters that need quotes in an e-mail address',
  },
  'email-not-ascii': { severity: 'warning', says: 'has letters before the @ that many mail servers refuse' },
  'email-quoted': { severity: 'warning', says: 'has quotes before the @, which many systems refuse' },
  'phone-invalid': { severity: 'error', says: 'is in no numbering plan' },
  'phone-too-short': { severity: 'error', says: 'too short for a telephone number' },
  'phone-national': { severity: 'error', says: 'names no country: --region says which' },
  'phone-not-e164': { severity: 'error', says: 'is a telephone number, but not written as E.164' },
  'phone-extension': {
    severity: 'error',
    says: 'is a telephone number with an extension, which E.164 cannot hold',
  },
  'name-digits': { severity: 'error', says: 'a name of digits alone' },
  'name-email': { severity: 'error', says: 'an e-mail address in a name' },
  'name-upper-case': { severity: 'warning', says: 'a name in capital letters alone' },
  'not-a-boolean': { severity: 'error', says: 'is not true or false' },
  'not-a-date': { severity: 'error', says: 'is not a date such as 1980-12-31' },
  'not-a-locale': { severity: 'error', says: 'is not a language tag such as de-CH' },
  'locale-underscore': { severity: 'error', says: 'is a language tag with underscores in place of hyphens' },
  'not-a-zone': { severity: 'error', says: 'is not a time zone such as Europe/Berlin' },
  'not-a-uri': { severity: 'error', says: 'is not a web address' },
}

export const WORST: Readonly<Record<Severity, number>> = { error: 2, warning: 1 }
