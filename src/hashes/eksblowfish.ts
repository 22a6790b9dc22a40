/**
 * EksBlowfish over bytes, for the revisions of bcrypt that no library gets right. It follows Provos and
 * Mazieres, "A Future-Adaptable Password Scheme" (1999), and for `$2a$` and `$2x$` Openwall's crypt_blowfish.
 */

const P_WORDS = 18
const S_WORDS = 1024
/** Of the 24 bytes of the last block, bcrypt stores 23. */
const STORED_BYTES = 23
const ROUNDS_OF_TEXT = 64

export interface EksKey {
  /** The password, repeated until it fills 18 words of 32 bits. */
  readonly words: Int32Array
  /** A bit that `$2a$` of crypt_blowfish flips in the first state; otherwise 0. */
  readonly guard: number
}

/** The 23 bytes that bcrypt stores. Costs 2^cost times two key schedules. */
export function eksBlowfish(key: EksKey, salt: Uint8Array, cost: number): Buffer {
  const initial = initialState()
  const p = initial.p.slice()
  const s = initial.s.slice()
  const saltKey = bigEndianWords(salt, P_WORDS)
  addKey(p, key.words)
  p[0] = (p[0] ?? 0) ^ key.guard
  schedule(p, s, saltKey)
  for (let round = 2 ** cost; round > 0; round -= 1) {
    addKey(p, key.words)
    schedule(p, s, NO_SALT)
    addKey(p, saltKey)
    schedule(p, s, NO_SALT)
  }
  return encipheredText(p, s)
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

function bigEndianWords(bytes: Uint8Array, count: number): Int32Array {
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

function addKey(p: Int32Array, key: Int32Array): void {
  for (let index = 0; index < P_WORDS; index += 1) p[index] = (p[index] ?? 0) ^ (key[index] ?? 0)
}

const NO_SALT = new Int32Array(P_WORDS)

/** Replaces the whole state by a chain of enciphered blocks; the salt goes round through the chain. */
function schedule(p: Int32Array, s: Int32Array, salt: Int32Array): void {
  const block = new Int32Array(2)
  replace(p, 0)
  replace(s, P_WORDS)

  function replace(words: Int32Array, before: number): void {
    for (let index = 0; index < words.length; index += 2) {
      const turn = (before + index) & 3
      block[0] = (block[0] ?? 0) ^ (salt[turn] ?? 0)
      block[1] = (block[1] ?? 0) ^ (salt[turn + 1] ?? 0)
      encipher(p, s, block, 0)
      words[index] = block[0] ?? 0
      words[index + 1] = block[1] ?? 0
    }
  }
}

/** Enciphers the two words at `place`. The check spends all of its time here. */
function encipher(p: Int32Array, s: Int32Array, words: Int32Array, place: number): void {
  let left = (words[place] ?? 0) ^ (p[0] ?? 0)
  let right = words[place + 1] ?? 0
  for (let round = 1; round <= 16; round += 2) {
    right ^= mixed(s, left) ^ (p[round] ?? 0)
    left ^= mixed(s, right) ^ (p[round + 1] ?? 0)
  }
  words[place] = right ^ (p[17] ?? 0)
  words[place + 1] = left
}

function mixed(s: Int32Array, word: number): number {
  const sum = ((s[word >>> 24] ?? 0) + (s[256 + ((word >>> 16) & 255)] ?? 0)) | 0
  return ((sum ^ (s[512 + ((word >>> 8) & 255)] ?? 0)) + (s[768 + (word & 255)] ?? 0)) | 0
}

function encipheredText(p: Int32Array, s: Int32Array): Buffer {
  const words = bigEndianWords(Buffer.from('OrpheanBeholderScryDoubt', 'latin1'), 6)
  for (let round = 0; round < ROUNDS_OF_TEXT; round += 1) {
    for (let place = 0; place < 6; place += 2) encipher(p, s, words, place)
  }
  const bytes = Buffer.alloc(24)
  words.forEach((word, index) => {
    bytes.writeInt32BE(word, 4 * index)
  })
  return bytes.subarray(0, STORED_BYTES)
}

interface State {
  readonly p: Int32Array
  readonly s: Int32Array
}

let firstState: State | undefined

/** Blowfish starts from the fraction of pi. It takes about 40 ms to compute once, and needs no table to trust. */
function initialState(): State {
  if (!firstState) {
    const words = bigEndianWords(fractionOfPi(4 * (P_WORDS + S_WORDS)), P_WORDS + S_WORDS)
    firstState = { p: words.subarray(0, P_WORDS), s: words.subarray(P_WORDS) }
  }
  return firstState
}

/** Machin: pi = 16 arctan(1/5) - 4 arctan(1/239). Some bits more than needed take up what rounding loses. */
function fractionOfPi(bytes: number): Buffer {
  const spareBits = 64n
  const one = 1n << (BigInt(8 * bytes) + spareBits)
  const pi = 16n * arctanOfInverse(5n, one) - 4n * arctanOfInverse(239n, one)
  const fraction = (pi % one) >> spareBits
  return Buffer.from(fraction.toString(16).padStart(2 * bytes, '0'), 'hex')
}

/** arctan(1/x) = 1/x - 1/3x^3 + 1/5x^5 ..., in units of `one`. */
function arctanOfInverse(x: bigint, one: bigint): bigint {
  let power = one / x
  let sum = 0n
  for (let n = 1n; power !== 0n; n += 2n) {
    sum += n % 4n === 1n ? power / n : -(power / n)
    power /= x * x
  }
  return sum
}
