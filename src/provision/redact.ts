import type { PortableHash } from '../portable-hash.ts'
import type { Candidate } from '../targets/target.ts'

/** Shorter values stand in every sentence. */
const SHORTEST = 3

/** Characters of a target's words that are kept. */
const KEPT = 300

/** Characters that are looked at. Behind them nothing is kept, so nothing needs to be taken out. */
const READ = 8_192

const GONE = '…'

/**
 * A target's words about some users, as they may be kept: without any value of theirs, without control characters, and short.
 * Values are found in any case and in any Unicode form, and before anything is cut.
 */
export function withoutValues(text: string | null, users: readonly Candidate[]): string | null {
  if (text === null) return null
  const values = valuesOf(users)
  const plain = withoutNumbers(without(stripped(text.slice(0, READ)), values), values)
  // Some notations join salt and digest before they are encoded; whatever looks like that is of no use to people either.
  const kept = plain.replace(/[\w+/=]{20,}/g, (run) => (/\d/.test(run) ? GONE : run))
  // A value that begins within what was read may end behind it.
  return [...(text.length > READ ? kept.slice(0, KEPT) : kept)].slice(0, KEPT).join('')
}

/** A target's own code or status; anything else than a short word, or a word with a value of these users, could be somebody's value. */
export function codeOf(code: string | null, users: readonly Candidate[] = []): string | null {
  if (code === null || !/^[\w.:-]{1,64}$/.test(code)) return null
  // A status is one whatever else has this number.
  return /^\d{3}$/.test(code) || withoutValues(code, users) === code ? code : null
}

function valuesOf(users: readonly Candidate[]): Set<string> {
  const values = new Set<string>()
  const add = (value: string) => {
    for (const form of ['NFC', 'NFD', 'NFKC'] as const) {
      const text = stripped(value).normalize(form).toLowerCase().trim()
      if (text.length < SHORTEST) continue
      values.add(text)
      // As it stands in an address.
      if (!/\p{Cs}/u.test(text)) values.add(encodeURIComponent(text).toLowerCase())
    }
  }
  for (const { id, login, email, attributes, credential } of users) {
    for (const name of [login, email ?? '']) {
      add(name)
      add(name.split('@')[0] ?? '')
    }
    eachText(attributes, (text) => {
      if (text !== id) add(text)
    })
    if (credential.kind === 'hash') eachHashPart(credential.hash, add)
  }
  return values
}

/** Every text and every number within a value, however deep. */
function eachText(value: unknown, tell: (text: string) => void): void {
  if (typeof value === 'string') tell(value)
  else if (typeof value === 'number' || typeof value === 'bigint') tell(String(value))
  else if (Array.isArray(value)) for (const part of value) eachText(part, tell)
  else if (typeof value === 'object' && value !== null)
    for (const part of Object.values(value)) eachText(part, tell)
}

/** Hashes stand in a target's words in one of these notations, or in one that a part of the text is. */
function eachHashPart(hash: PortableHash, tell: (text: string) => void): void {
  for (const part of Object.values(hash)) {
    if (Buffer.isBuffer(part)) {
      for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const) tell(part.toString(encoding))
      tell(part.toString('base64').replace(/={1,2}$/, ''))
    }
  }
  switch (hash.kind) {
    case 'bcrypt':
      tell(hash.salt)
      tell(hash.digest)
      return
    case 'phpass':
      tell(hash.salt)
      tell(hash.text)
      return
    case 'crypt':
      for (const part of [hash.text, ...hash.text.split('$')]) if (part.length > SHORTEST) tell(part)
      return
    case 'digest':
    case 'hmac':
    case 'pbkdf2':
    case 'scrypt':
    case 'argon2':
    case 'firebase-scrypt':
      return
  }
}

function stripped(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}

/** Values are in lower case. Letters are compared one by one, as lower case can be longer than the letter itself. */
function without(text: string, values: ReadonlySet<string>): string {
  const units: number[] = []
  let lower = ''
  let at = 0
  for (const sign of text) {
    const small = sign.toLowerCase()
    lower += small
    for (let unit = 0; unit < small.length; unit++) units.push(at)
    at += sign.length
  }
  units.push(at)
  const gone = new Uint8Array(text.length)
  for (const value of values)
    for (let from = lower.indexOf(value); from >= 0; from = lower.indexOf(value, from + 1))
      gone.fill(1, units[from], ending(units, from + value.length))
  return marked(text, gone)
}

/** Where the sign ends that holds this place: the next one that begins elsewhere. */
function ending(units: readonly number[], place: number): number | undefined {
  const last = units[place - 1]
  while (units[place] === last && place < units.length - 1) place += 1
  return units[place]
}

function marked(text: string, gone: Uint8Array): string {
  let kept = ''
  for (let at = 0; at < text.length; at++) {
    if (gone[at] === 0) kept += text.charAt(at)
    else if (gone[at - 1] !== 1) kept += GONE
  }
  return kept
}

/** Digits that tell a telephone number from others, however it is written. */
const TELLING_DIGITS = 7

/** A number that a target has written in another way, as with blanks or without the country. */
function withoutNumbers(text: string, values: ReadonlySet<string>): string {
  const endings = new Set(
    [...values]
      .map(digitsOf)
      .flatMap((digits) => (digits.length < TELLING_DIGITS ? [] : [digits.slice(-TELLING_DIGITS)])),
  )
  return text.replace(/[+(]?\d[\d ().-]{5,}\d/g, (run) =>
    endings.has(digitsOf(run).slice(-TELLING_DIGITS)) ? GONE : run,
  )
}

function digitsOf(text: string): string {
  return text.replace(/\D/g, '')
}
