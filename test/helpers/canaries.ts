import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'

/**
 * Every password that a test sends is planted here, and whatever the tests get back or find afterwards (answers, log
 * lines, metrics, tables) is searched for all of them.
 */
const planted = new Set<string>()

/** Shorter ones could stand anywhere by chance. */
const SHORTEST = 8

export function plant(password: unknown): void {
  if (typeof password === 'string' && password.length >= SHORTEST) planted.add(password)
}

/** A text in the forms in which it could be hidden. */
export function disguises(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8')
  return [
    text,
    text.slice(0, SHORTEST),
    text.slice(-SHORTEST),
    [...text].reverse().join(''),
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text),
    bytes.toString('hex'),
    // Base64 of a longer text that holds this one somewhere begins at one of three places.
    ...[0, 1, 2].map((shift) =>
      Buffer.concat([Buffer.alloc(shift), bytes])
        .toString('base64')
        .slice(shift === 0 ? 0 : 4, -4),
    ),
    bytes.toString('base64url'),
    Buffer.from(text, 'utf16le').toString('hex'),
  ].filter((form) => form.length >= SHORTEST)
}

/** The whole forms alone: parts of generated logins may well stand in a table. */
export function expectNoPlanted(where: string, text: string): void {
  const found = [...planted].filter((password) => text.includes(password))
  expect(found.length, `${where} holds planted passwords`).toBe(0)
}

/** Both ends of every canary of `mintCanaries`. They need escapes in JSON and in URLs, and are not of ASCII alone. */
const HEAD = 'zQ7"é\\ canaryH'
const TAIL = '-Tail9%ß+kanX'

/** Passwords that are all different and begin and end alike, so that one search finds any part of any of them. */
export function mintCanaries(count: number): string[] {
  return Array.from({ length: count }, () => `${HEAD}${randomBytes(6).toString('hex')}${TAIL}`)
}

/** Every form in which a canary of `mintCanaries`, or its first or last eight characters, could be hidden, as bytes. */
export const canaryForms: readonly Buffer[] = [HEAD, HEAD.slice(0, 8), TAIL, TAIL.slice(-8)]
  .flatMap((end) => [
    ...disguises(end).map((form) => Buffer.from(form, 'utf8')),
    ...[0, 1, 2].map((shift) => Buffer.from(insideBase64(Buffer.from(end), shift).replace(/[+/]/g, urlSafe))),
    Buffer.from(end, 'latin1'),
    Buffer.from(end, 'utf16le'),
    Buffer.from(end, 'utf16le').swap16(),
    Buffer.from(Buffer.from(end).toString('hex').toUpperCase()),
    Buffer.from(encodeURIComponent(end).toLowerCase()),
    Buffer.from(asciiJson(end)),
  ])
  .filter((form) => form.length >= SHORTEST)

/** How many of the forms stand in these bytes. */
export function canaryFormsIn(place: Buffer | string): number {
  const bytes = typeof place === 'string' ? Buffer.from(place) : place
  return canaryForms.filter((form) => bytes.includes(form)).length
}

/** Different canaries, and all of their copies, in these bytes: in UTF-8 or Latin-1, and in UTF-16. */
export function countCanaries(bytes: Buffer): { canaries: Set<string>; copies: number } {
  const canaries = new Set<string>()
  let copies = 0
  for (const encoding of ['latin1', 'utf16le'] as const) {
    const tail = Buffer.from(TAIL.slice(0, 6), encoding)
    const width = encoding === 'latin1' ? 12 : 24
    for (let at = bytes.indexOf(tail); at >= 0; at = bytes.indexOf(tail, at + 1)) {
      const middle = bytes.subarray(Math.max(0, at - width), at).toString(encoding)
      if (!/^[0-9a-f]{12}$/.test(middle)) continue
      canaries.add(middle)
      copies += 1
    }
  }
  return { canaries, copies }
}

function insideBase64(bytes: Buffer, shift: number): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
  return text.slice(shift === 0 ? 0 : 4, -4)
}

function urlSafe(sign: string): string {
  return sign === '+' ? '-' : '_'
}

/** JSON as programs write it that keep to ASCII. */
function asciiJson(text: string): string {
  return JSON.stringify(text)
    .slice(1, -1)
    .replace(/[^ -~]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
