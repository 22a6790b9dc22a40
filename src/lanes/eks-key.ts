import { P_WORDS } from './eks-module.ts'

/** A password as eksblowfish takes it. */
export interface EksKey {
  /** The password, repeated until it fills 18 words of 32 bits. */
  readonly words: Int32Array
  /** A bit that `$2a$` of crypt_blowfish flips in the first state; otherwise 0. */
  readonly guard: number
}

/** The key schedule as it was meant. `bytes` must not be empty: only `$2$` leaves the final NUL away. */
export function plainKey(bytes: Uint8Array): EksKey {
  return { words: bigEndianWords(bytes, P_WORDS), guard: 0 }
}

/**
 * The key schedule of crypt_blowfish before 1.1 (CVE-2011-2483): every byte is sign-extended before it is
 * added, so a byte above 0x7f overwrites the ones before it in its word.
 */
export function signExtendedKey(bytes: Uint8Array): EksKey {
  return { words: collectWords(bytes, P_WORDS, (word, byte) => (word << 8) | ((byte << 24) >> 24)), guard: 0 }
}

/**
 * The key schedule of crypt_blowfish for `$2a$`: as it was meant, except that a password for which both
 * schedules come to the same gets another first state. No password in UTF-8 is such a one.
 */
export function guardedKey(bytes: Uint8Array): EksKey {
  const { words } = plainKey(bytes)
  const extended = signExtendedKey(bytes).words
  const same = words.every((word, index) => word === extended[index])
  return { words, guard: same && hasHighByteInsideWord(bytes) ? 0x10000 : 0 }
}

function hasHighByteInsideWord(bytes: Uint8Array): boolean {
  for (let index = 0; index < 4 * P_WORDS; index += 1) {
    if (index % 4 !== 0 && (bytes[index % bytes.length] ?? 0) > 0x7f) return true
  }
  return false
}

/** `count` words of these bytes, which repeat as often as it takes. */
export function bigEndianWords(bytes: Uint8Array, count: number): Int32Array {
  return collectWords(bytes, count, (word, byte) => (word << 8) | byte)
}

function collectWords(
  bytes: Uint8Array,
  count: number,
  add: (word: number, byte: number) => number,
): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => {
    let word = 0
    for (let place = 4 * index; place < 4 * index + 4; place += 1)
      word = add(word, bytes[place % bytes.length] ?? 0)
    return word
  })
}
