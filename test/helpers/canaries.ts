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
