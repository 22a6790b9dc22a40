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
  const plain = stripped(text.slice(0, READ))
  const found = [...valuesOf(users)].filter((value) => plain.toLowerCase().includes(value))
  const kept = found
    .sort((a, b) => b.length - a.length)
    .reduce((rest, value) => rest.replace(new RegExp(literally(value), 'giu'), GONE), plain)
  // A value that begins within what was read may end behind it.
  return [...(text.length > READ ? kept.slice(0, KEPT) : kept)].slice(0, KEPT).join('')
}

/** A target's own code or status; anything else than a short word could be somebody's value. */
export function codeOf(code: string | null): string | null {
  return code !== null && /^[\w.:-]{1,64}$/.test(code) ? code : null
}

function valuesOf(users: readonly Candidate[]): Set<string> {
  const values = new Set<string>()
  const add = (value: string) => {
    for (const form of ['NFC', 'NFD', 'NFKC'] as const) {
      const text = stripped(value).normalize(form).toLowerCase().trim()
      if (text.length >= SHORTEST) values.add(text)
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
      tell(part.toString('base64').replace(/=+$/, ''))
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

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
