import type { StoredHash } from '../domain.ts'
import { digestIn } from './compared.ts'
import { equalBytes } from './equal-bytes.ts'
import { HashError, type PasswordDigest, type ReadHash } from './format.ts'

type Written = Pick<PasswordDigest, 'expected' | 'written'>

/** What may stand in the place of a digest, as text and as hexadecimal: families differ in what they read. */
const FILLED_TEXT = ['0', 'A', '.']
const FILLED_BYTES = [0, 0x2e]
/** In the place of text that is no digest. */
const FILLED_WRITTEN = '-'
/** Found by chance in a salt, a shorter one would be taken for the digest. */
const SHORTEST_TEXT = 8

/** Passwords that every family takes. What two strings make of both is the same when salt and parameters are. */
const TRIALS = ['Trial7', 'tRIAL8x'].map((text) => Buffer.from(text))

/** The string with nothing in the place of its digest; null where it cannot be found in it or cannot do without it. */
export async function withoutDigest(
  stored: StoredHash,
  hash: ReadHash,
  read: (stored: StoredHash) => ReadHash,
): Promise<string | null> {
  for (const { blank, again } of readableBlanks(stored, hash, read))
    if (await isSame(hash, again)) return blank
  return null
}

/** Strings of which nothing is left of the digest and that can be read, with what they are read as. */
export function* readableBlanks(
  stored: StoredHash,
  hash: ReadHash,
  read: (stored: StoredHash) => ReadHash,
): Generator<{ readonly blank: string; readonly again: ReadHash }> {
  const digest = digestIn(hash)
  if (!digest) return
  for (const blank of blanksOf(stored.encoded ?? '', digest)) {
    if (blanksOf(blank, digest).length > 0) continue
    const again = readOrNothing({ ...stored, encoded: blank }, read)
    if (again && isBlank(blank, again)) yield { blank, again }
  }
}

/** Whether a string has nothing in the place of its digest. */
export function isBlank(encoded: string, hash: ReadHash): boolean {
  const digest = digestIn(hash)
  return digest !== undefined && blanksOf(encoded, digest).includes(encoded)
}

function readOrNothing(stored: StoredHash, read: (stored: StoredHash) => ReadHash): ReadHash | undefined {
  try {
    return read(stored)
  } catch (error) {
    if (error instanceof HashError) return undefined
    throw error
  }
}

/** Whether both make the same of a password. */
async function isSame(hash: ReadHash, other: ReadHash): Promise<boolean> {
  const parts = ({ scheme, millis, nulIsData }: ReadHash) => JSON.stringify([scheme, millis, nulIsData])
  if (parts(hash) !== parts(other)) return false
  for (const trial of TRIALS) {
    const made = (await digestIn(hash)?.of(trial)) ?? []
    const others = (await digestIn(other)?.of(trial)) ?? []
    if (made.length === 0 || made.length !== others.length) return false
    if (!made.every((bytes, at) => equalBytes(bytes, others[at] ?? new Uint8Array()))) return false
  }
  return true
}

/** The string with its digest written over in every way that it may be written in; empty where it does not occur. */
function blanksOf(encoded: string, { expected, written }: Written): string[] {
  if (written !== undefined) {
    const at = encoded.lastIndexOf(written)
    return at === -1 ? [] : [encoded.slice(0, at) + FILLED_WRITTEN + encoded.slice(at + written.length)]
  }
  return [
    ...textBlanks(encoded, expected),
    ...hexBlanks(encoded, expected),
    ...base64Blanks(encoded, expected),
  ]
}

function textBlanks(encoded: string, expected: Uint8Array): string[] {
  const text = Buffer.from(expected).toString('latin1')
  if (text.length < SHORTEST_TEXT || !/^[\x20-\x7e]+$/.test(text)) return []
  // Hexadecimal is compared in small letters.
  const at = /^[0-9a-f]+$/.test(text) ? encoded.toLowerCase().indexOf(text) : encoded.indexOf(text)
  return FILLED_TEXT.flatMap((filled) => replacedAt(encoded, at, filled.repeat(text.length)))
}

function hexBlanks(encoded: string, expected: Uint8Array): string[] {
  const at = encoded.toLowerCase().indexOf(Buffer.from(expected).toString('hex'))
  return FILLED_BYTES.flatMap((byte) =>
    replacedAt(encoded, at, Buffer.alloc(expected.length, byte).toString('hex')),
  )
}

function replacedAt(encoded: string, at: number, filled: string): string[] {
  return at === -1 ? [] : [encoded.slice(0, at) + filled + encoded.slice(at + filled.length)]
}

/** Base64 of the digest, or of more than the digest, behind letters that may be taken for some of it. */
function base64Blanks(encoded: string, expected: Uint8Array): string[] {
  return [/[A-Za-z0-9+/]{8,}/g, /[A-Za-z0-9./]{8,}/g, /[A-Za-z0-9_-]{8,}/g].flatMap((letters) =>
    Array.from(encoded.matchAll(letters)).flatMap(({ 0: run, index }) =>
      [0, 1, 2, 3].flatMap((skipped) => {
        const start = index + skipped
        const text = run.slice(skipped)
        const bytes = Buffer.from(text.replaceAll('.', '+'), 'base64')
        const at = bytes.indexOf(expected)
        if (at === -1) return []
        bytes.fill(0, at, at + expected.length)
        const filled = likeWritten(bytes, text)
        return [encoded.slice(0, start) + filled + encoded.slice(start + filled.length)]
      }),
    ),
  )
}

/** In the letters of `text`, and as many. */
function likeWritten(bytes: Buffer, text: string): string {
  const base64 = bytes.toString(/[-_]/.test(text) ? 'base64url' : 'base64').replace(/={1,2}$/, '')
  return text.includes('.') ? base64.replaceAll('+', '.') : base64
}
