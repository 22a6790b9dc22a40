import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import { comparedText } from './compared.ts'
import { bigEndianCrypt64, numberOfCrypt64, selfContained } from './crypt64.ts'
import { desEncrypt, desKey } from './des.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'

/** What is enciphered: crypt(3) starts from a block of zeros. */
const ZEROS = Buffer.alloc(8)
const BLOCK = 8
const CRYPT_TIMES = 25
/** HP-UX and OSF/1 take 128 bytes of the password. */
const BIGCRYPT_BLOCKS = 16
/** Ultrix gives twenty turns to the first eight bytes, five to the next. */
const CRYPT16_TIMES = [20, 5] as const
const MILLIS_PER_TIME = 0.0002
/** Reading a key and a block takes longer than the rounds of crypt(3). */
const MILLIS_PER_BLOCK = 0.2

/** Eleven digits hold 66 bits; the last two are zero. */
const DIGEST = '[./0-9A-Za-z]{10}[.26AEIMQUYcgkosw]'
const DECOY_DIGEST = 'Carryover..'

export const descrypt: Family = {
  name: 'descrypt',
  note: 'the first eight bytes of the password count',
  sources: 'old Unix, htpasswd, PHP',
  ceiling: ceilingWords.fixed,
  example: `Ca${DECOY_DIGEST}`,
  shape: new RegExp(`^[./0-9A-Za-z]{2}${DIGEST}$`),
  probable: true,
  read(encoded) {
    return {
      scheme: 'descrypt',
      millis: MILLIS_PER_BLOCK,
      decoy: selfContained(`Ca${DECOY_DIGEST}`),
      ...comparedText(encoded.slice(2), (password) => desCrypt(password, encoded.slice(0, 2)).slice(2)),
    }
  },
}

/** The 13 characters of crypt(3). */
export function desCrypt(password: Uint8Array, salt: string): string {
  const work = { salt: numberOfCrypt64(salt), times: CRYPT_TIMES }
  return salt + bigEndianCrypt64(desEncrypt(desKey(password), ZEROS, work))
}

const BSDI = new RegExp(`^_([./0-9A-Za-z]{4})([./0-9A-Za-z]{4})(${DIGEST})$`)

export const bsdiCrypt: Family = {
  name: 'bsdi-crypt',
  sources: 'BSD/OS, FreeBSD',
  ceiling: ceilingWords.bsdi,
  example: `_J9..Carr${DECOY_DIGEST}`,
  shape: /^_[./0-9A-Za-z]{19}$/,
  probable: true,
  read(encoded) {
    const [, digits, salt, digest] = BSDI.exec(encoded) ?? []
    if (digits === undefined || salt === undefined || digest === undefined) {
      throw new HashError('malformed', 'the spare bits of a BSDi hash are zero')
    }
    const times = affordable(numberOfCrypt64(digits), ceilings.bsdi.turns, 'the turns of a BSDi hash')
    const work = { salt: numberOfCrypt64(salt), times }
    return {
      scheme: 'bsdi-crypt',
      millis: times * MILLIS_PER_TIME + MILLIS_PER_BLOCK,
      decoy: selfContained(`_${digits}Carr${DECOY_DIGEST}`),
      ...comparedText(digest, (password) => bigEndianCrypt64(desEncrypt(foldedKey(password), ZEROS, work))),
    }
  },
}

/** The whole password: each block is added to the key before it, enciphered under itself. */
function foldedKey(password: Uint8Array): Buffer {
  let key = desKey(password)
  for (let at = BLOCK; at < password.length; at += BLOCK) {
    const enciphered = desEncrypt(key, key)
    const block = desKey(password.subarray(at))
    key = Buffer.from(enciphered.map((byte, place) => byte ^ (block[place] ?? 0)))
  }
  return key
}

export const bigcrypt: Family = {
  name: 'bigcrypt',
  note: `descrypt of every eight bytes, ${BIGCRYPT_BLOCKS * BLOCK} at most`,
  sources: 'HP-UX, Digital Unix',
  ceiling: ceilingWords.fixed,
  example: `Ca${DECOY_DIGEST}${DECOY_DIGEST}`,
  shape: /^[./0-9A-Za-z]{2}(?:[./0-9A-Za-z]{11}){1,16}$/,
  byNameOnly: true,
  read(encoded) {
    const salt = encoded.slice(0, 2)
    const blocks = encoded.slice(2).match(/.{11}/g) ?? []
    if (!blocks.every((block) => new RegExp(`^${DIGEST}$`).test(block))) {
      throw new HashError('malformed', 'the spare bits of a bigcrypt hash are zero')
    }
    return {
      scheme: 'bigcrypt',
      millis: blocks.length * MILLIS_PER_BLOCK,
      decoy: selfContained(`Ca${DECOY_DIGEST.repeat(blocks.length)}`, 'bigcrypt'),
      ...comparedText(encoded.slice(2), (password) => bigCrypt(password, salt).slice(2)),
    }
  },
}

/** The salt of each block after the first is the start of the digest before it. */
function bigCrypt(password: Uint8Array, salt: string): string {
  const blocks = Math.min(BIGCRYPT_BLOCKS, Math.max(1, Math.ceil(password.length / BLOCK)))
  let made = salt
  let blockSalt = salt
  for (let block = 0; block < blocks; block += 1) {
    const digest = desCrypt(password.subarray(BLOCK * block), blockSalt).slice(2)
    made += digest
    blockSalt = digest.slice(0, 2)
  }
  return made
}

export const crypt16: Family = {
  name: 'crypt16',
  note: 'Ultrix; sixteen bytes of the password count',
  sources: 'Ultrix, Tru64',
  ceiling: ceilingWords.fixed,
  example: `Ca${DECOY_DIGEST}${DECOY_DIGEST}`,
  shape: new RegExp(`^[./0-9A-Za-z]{2}${DIGEST}${DIGEST}$`),
  byNameOnly: true,
  read(encoded) {
    const salt = numberOfCrypt64(encoded.slice(0, 2))
    return {
      scheme: 'crypt16',
      millis: 2 * MILLIS_PER_BLOCK,
      decoy: selfContained(`Ca${DECOY_DIGEST}${DECOY_DIGEST}`, 'crypt16'),
      ...comparedText(encoded.slice(2), (password) => {
        const digests = CRYPT16_TIMES.map((times, block) =>
          bigEndianCrypt64(desEncrypt(desKey(password.subarray(BLOCK * block)), ZEROS, { salt, times })),
        )
        return digests.join('')
      }),
    }
  },
}
