// What can be wrong with one value, whatever the target. Every expression here is linear: it meets every value of the copy.
import { domainToASCII } from 'node:url'
import {
  type CountryCode,
  isSupportedCountry,
  ParseError,
  parsePhoneNumberWithError,
  validatePhoneNumberLength,
} from 'libphonenumber-js/max'
import type { Field } from './user.ts'

/** What a value is meant to be. */
export type Kind = 'text' | 'email' | 'phone' | 'name' | 'boolean' | 'date' | 'locale' | 'zone' | 'uri'

/** In reports and in `where` of rules, so never renamed. */
export const VALUE_CODES = [
  'control-characters',
  'bidi-controls',
  'zero-width',
  'half-surrogate',
  'replacement-character',
  'mojibake',
  'outer-blanks',
  'email-no-at',
  'email-several-at',
  'email-incomplete',
  'email-blank',
  'email-dots',
  'email-no-tld',
  'email-domain',
  'email-too-long',
  'email-unusual-characters',
  'email-not-ascii',
  'email-quoted',
  'phone-invalid',
  'phone-too-short',
  'phone-national',
  'phone-not-e164',
  'phone-extension',
  'name-digits',
  'name-email',
  'name-upper-case',
  'not-a-boolean',
  'not-a-date',
  'not-a-locale',
  'locale-underscore',
  'not-a-zone',
  'not-a-uri',
] as const

export type ValueCode = (typeof VALUE_CODES)[number]

/** OpenID Connect Core 1.0, section 5.1, and our own columns. */
const KINDS: Readonly<Record<Field, Kind>> = {
  email: 'email',
  'profile.email': 'email',
  'profile.phone_number': 'phone',
  'profile.name': 'name',
  'profile.given_name': 'name',
  'profile.family_name': 'name',
  'profile.middle_name': 'name',
  'profile.nickname': 'name',
  'profile.email_verified': 'boolean',
  'profile.phone_number_verified': 'boolean',
  'profile.birthdate': 'date',
  'profile.locale': 'locale',
  'profile.zoneinfo': 'zone',
  'profile.picture': 'uri',
  'profile.website': 'uri',
  'profile.profile': 'uri',
}

/** What a field is meant to hold, by its name. */
export function kindOf(field: Field): Kind {
  return Object.hasOwn(KINDS, field) ? (KINDS[field] ?? 'text') : 'text'
}

const NONE: readonly ValueCode[] = []

/**
 * The problems of a value that is there. Of an e-mail address or a phone number the first thing that is wrong with it,
 * besides its characters.
 *
 * @param region of phone numbers without a country code, as `DE`
 */
export function problemsOf(kind: Kind, value: unknown, region?: string): readonly ValueCode[] {
  if (typeof value !== 'string') return ofOther(kind, value, region)
  const characters = ofCharacters(value)
  const own = ofKind(kind, value.trim(), region)
  if (own === null) return characters
  return characters.length === 0 ? [own] : [...characters, own]
}

function ofOther(kind: Kind, value: unknown, region: string | undefined): readonly ValueCode[] {
  if (Array.isArray(value)) {
    const inner: readonly unknown[] = value
    return [...new Set(inner.flatMap((one) => (typeof one === 'string' ? ofCharacters(one) : NONE)))]
  }
  if (kind === 'boolean') return typeof value === 'boolean' ? NONE : ['not-a-boolean']
  // Stores keep numbers of telephones, and ids, as numbers.
  const own = typeof value === 'number' ? ofKind(kind, String(value), region) : null
  return own === null ? NONE : [own]
}

const PLAIN = /^[!-~](?:[ -~]*[!-~])?$/
const CONTROL = /[\p{Cc}\u2028\u2029]/u
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/
/** Joiners belong into scripts that need them, and into emoji: behind a letter that is not of ASCII, and not at the end. */
const ZERO_WIDTH = /[\u00ad\u200b\u2060-\u2064\ufeff]|(?:^|[\0-\x7f])[\u200c\u200d]|[\u200c\u200d]$/

function ofCharacters(text: string): readonly ValueCode[] {
  if (PLAIN.test(text)) return NONE
  const codes: ValueCode[] = []
  if (CONTROL.test(text)) codes.push('control-characters')
  if (BIDI.test(text)) codes.push('bidi-controls')
  if (ZERO_WIDTH.test(text)) codes.push('zero-width')
  if (/\p{Surrogate}/u.test(text)) codes.push('half-surrogate')
  if (text.includes('\ufffd')) codes.push('replacement-character')
  if (readAgain(text) !== null) codes.push('mojibake')
  if (codes.length === 0 && text !== text.trim()) codes.push('outer-blanks')
  return codes
}

function ofKind(kind: Kind, text: string, region: string | undefined): ValueCode | null {
  switch (kind) {
    case 'text':
      return null
    case 'email':
      return ofEmail(text)
    case 'phone':
      return ofPhone(text, region)
    case 'name':
      return ofName(text)
    case 'boolean':
      return text === 'true' || text === 'false' ? null : 'not-a-boolean'
    case 'date':
      return isDate(text) ? null : 'not-a-date'
    case 'locale':
      return ofLocale(text)
    case 'zone':
      return isZone(text) ? null : 'not-a-zone'
    case 'uri':
      return isUri(text) ? null : 'not-a-uri'
  }
}

/** Characters: RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.3, a path without its angle brackets; a label by RFC 1035. */
const LONGEST = { local: 64, address: 254, label: 63 }
/** RFC 5322, `atext`, and dots. */
const LOCAL = /^[\w.!#$%&'*+/=?^`{|}~-]+$/
const LABEL = /^[a-z\d](?:[a-z\d-]*[a-z\d])?$/i

function ofEmail(text: string): ValueCode | null {
  const quoted = text.startsWith('"') && text.lastIndexOf('"@') > 0
  const at = text.lastIndexOf('@')
  const local = text.slice(0, Math.max(at, 0))
  const domain = text.slice(at + 1)
  if (at < 0) return 'email-no-at'
  if (!quoted && local.includes('@')) return 'email-several-at'
  if (local === '' || domain === '') return 'email-incomplete'
  if (/\s/.test(quoted ? domain : text)) return 'email-blank'
  if (hasStrayDots(domain) || (!quoted && hasStrayDots(local))) return 'email-dots'
  if (text.length > LONGEST.address || local.length > LONGEST.local) return 'email-too-long'
  return ofDomain(domain) ?? (quoted ? 'email-quoted' : ofLocal(local))
}

function hasStrayDots(part: string): boolean {
  return part.startsWith('.') || part.endsWith('.') || part.includes('..')
}

function ofDomain(domain: string): ValueCode | null {
  const ascii = /[^\0-\x7f]/.test(domain) ? domainToASCII(domain) : domain
  const labels = ascii.split('.')
  if (labels.some((label) => label.length > LONGEST.label || !LABEL.test(label))) return 'email-domain'
  if (labels.length === 1) return 'email-no-tld'
  return /^\d+$/.test(labels.at(-1) ?? '') ? 'email-domain' : null
}

function ofLocal(local: string): ValueCode | null {
  if (LOCAL.test(local)) return null
  return LOCAL.test(local.replace(/[^\0-\x7f]/g, 'x')) ? 'email-not-ascii' : 'email-unusual-characters'
}

/** A valid number in E.164, or why there is none. */
export type Phone = { readonly e164: string } | { readonly code: ValueCode }

/** The characters of the longest text that libphonenumber looks at. */
const LONGEST_PHONE = 250

/** Reads a telephone number with the numbering plans of all countries, for fixed lines and mobiles. */
export function readPhone(text: string, region?: string): Phone {
  if (text.length > LONGEST_PHONE) return { code: 'phone-invalid' }
  const plan = { extract: false, ...(isCountry(region) && { defaultCountry: region }) }
  try {
    const number = parsePhoneNumberWithError(text, plan)
    if (!number.isValid())
      return {
        code: validatePhoneNumberLength(text, plan) === 'TOO_SHORT' ? 'phone-too-short' : 'phone-invalid',
      }
    return number.ext === undefined ? { e164: number.number } : { code: 'phone-extension' }
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    if (error.message === 'TOO_SHORT') return { code: 'phone-too-short' }
    // Without a country nobody can say more of a number than how many digits it has.
    const national = error.message === 'INVALID_COUNTRY' && !text.startsWith('+')
    if (!national) return { code: 'phone-invalid' }
    return { code: (text.match(/\d/g)?.length ?? 0) < LEAST_DIGITS ? 'phone-too-short' : 'phone-national' }
  }
}

/** The shortest numbers that people have, of small islands with an area code, have five digits. */
const LEAST_DIGITS = 5

/** Whether numbers can be read by a country's own rules: ISO 3166-1, two capital letters. */
export function isCountry(region: string | undefined): region is CountryCode {
  return region !== undefined && isSupportedCountry(region)
}

function ofPhone(text: string, region: string | undefined): ValueCode | null {
  const phone = readPhone(text, region)
  if ('code' in phone) return phone.code
  return phone.e164 === text ? null : 'phone-not-e164'
}

function ofName(text: string): ValueCode | null {
  if (/^\p{Nd}+$/u.test(text)) return 'name-digits'
  if (/[^\s@]@[^\s@]/.test(text)) return 'name-email'
  const letters = text.match(/\p{L}/gu)?.length ?? 0
  return letters >= LEAST_SHOUTED && text === text.toUpperCase() && text !== text.toLowerCase()
    ? 'name-upper-case'
    : null
}

/** Letters. Shorter ones are initials, or are written so. */
const LEAST_SHOUTED = 4

/** OpenID Connect Core 1.0, section 5.1: a day, a day of an unknown year 0000, or a year. */
function isDate(text: string): boolean {
  const [, year = '', month, day] = /^(\d{4})(?:-(\d\d)-(\d\d))?$/.exec(text) ?? []
  if (year === '') return false
  if (month === undefined || day === undefined) return year !== '0000'
  // 2000 and 0000 are leap years both.
  const moment = new Date(`${year === '0000' ? '2000' : year}-${month}-${day}T00:00:00Z`)
  return !Number.isNaN(moment.getTime()) && moment.getUTCDate() === Number(day)
}

/** BCP 47. The longest that registries know have 35 characters. */
function ofLocale(text: string): ValueCode | null {
  if (isLocale(text)) return null
  return text.includes('_') && isLocale(text.replaceAll('_', '-')) ? 'locale-underscore' : 'not-a-locale'
}

function isLocale(text: string): boolean {
  // Nearly all are of this shape, and Intl takes its time.
  if (/^[a-z]{2,3}(?:-[A-Z]{2})?$/.test(text)) return true
  if (text.length > 64) return false
  try {
    return Intl.getCanonicalLocales(text).length === 1
  } catch {
    return false
  }
}

/** A name of the IANA time zone database, aliases included. */
function isZone(text: string): boolean {
  if (!/^[A-Za-z][\w+/-]{1,63}$/.test(text)) return false
  if (ZONES.has(text)) return true
  try {
    new Intl.DateTimeFormat('en', { timeZone: text })
    return true
  } catch {
    return false
  }
}

/** The canonical names. Others are asked for one by one, which takes some hundred times as long. */
const ZONES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('timeZone'))

function isUri(text: string): boolean {
  return /^https?:\/\//i.test(text) && !/[\s<>"]/.test(text) && URL.canParse(text)
}

/** https://encoding.spec.whatwg.org/#windows-1252, 0x80 to 0x9f; the five that are undefined are themselves there. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'

/** The first two bytes of a character in UTF-8, taken for Windows-1252. */
const SEQUENCE = /[\xc2-\xf4][\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]/

/**
 * What a text was before its UTF-8 was taken for Windows-1252: `CafÃ©` was `Café`. Null where it cannot have been. That a
 * text of another kind has only such sequences by chance does not happen in any language's spelling.
 */
export function readAgain(text: string): string | null {
  if (!SEQUENCE.test(text)) return null
  const bytes: number[] = []
  for (const character of text) {
    const code = character.charCodeAt(0)
    const byte = code < 0x80 || (code > 0x9f && code < 0x100) ? code : 0x80 + WINDOWS_1252.indexOf(character)
    if (byte < 0x80 && code >= 0x80) return null
    bytes.push(byte)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes))
  } catch {
    return null
  }
}

/** Without characters that nobody sees; breaks of lines and tabs inside become blanks. */
export function visible(text: string): string {
  if (!CONTROL.test(text) && !BIDI.test(text) && !ZERO_WIDTH.test(text)) return text
  return text
    .replace(/[\t-\r\x85\u2028\u2029]/g, ' ')
    .replace(/[\p{Cc}\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/gu, '')
    .replace(/(^|[\0-\x7f])[\u200c\u200d]+/g, '$1')
    .replace(/[\u200c\u200d]$/, '')
    .trim()
}
