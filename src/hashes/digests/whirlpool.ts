/** Whirlpool after Barreto and Rijmen, "The Whirlpool Hashing Function" (2003), as in ISO/IEC 10118-3. */

const BYTES = 64
const SIDE = 8
const ROUNDS = 10
/** x^8 + x^4 + x^3 + x^2 + 1 */
const POLYNOMIAL = 0x11d
/** The first row of the circulant diffusion matrix. */
const DIFFUSION = [1, 1, 4, 1, 8, 5, 2, 9]
/** The two small boxes that the substitution is built of. */
const E = [0x1, 0xb, 0x9, 0xc, 0xd, 0x6, 0xf, 0x3, 0xe, 0x8, 0x7, 0x4, 0xa, 0x2, 0x5, 0x0]
const R = [0x7, 0xc, 0xb, 0xd, 0xe, 0x4, 0x9, 0xf, 0x6, 0x3, 0x8, 0xa, 0x2, 0x5, 0x1, 0x0]

const SUBSTITUTION = Uint8Array.from({ length: 256 }, (_, byte) => {
  const inverse = (value: number) => E.indexOf(value)
  const high = E[byte >> 4] ?? 0
  const low = inverse(byte & 15)
  const middle = R[high ^ low] ?? 0
  return ((E[high ^ middle] ?? 0) << 4) | inverse(low ^ middle)
})

/** Substituted and multiplied: one table for every place of the diffusion row. */
const TABLES = DIFFUSION.map((factor) => SUBSTITUTION.map((byte) => product(byte, factor)))

/** The round constants: eight bytes of the substitution each, in the first row. */
const CONSTANTS = Array.from({ length: ROUNDS }, (_, round) => {
  const constant = new Uint8Array(BYTES)
  constant.set(SUBSTITUTION.subarray(SIDE * round, SIDE * (round + 1)))
  return constant
})

export function whirlpool(message: Uint8Array): Buffer {
  const padded = paddedMessage(message)
  let state: Uint8Array = new Uint8Array(BYTES)
  for (let at = 0; at < padded.length; at += BYTES) {
    const block = padded.subarray(at, at + BYTES)
    state = added(added(enciphered(block, state), state), block)
  }
  return Buffer.from(state)
}

/** The block cipher W, with the running state as its key. */
function enciphered(block: Uint8Array, key: Uint8Array): Uint8Array {
  let roundKey = key
  let state = added(block, key)
  for (const constant of CONSTANTS) {
    roundKey = round(roundKey, constant)
    state = round(state, roundKey)
  }
  return state
}

/** Substitution, cyclic shift of column k by k rows, diffusion of every row, and the key. */
function round(state: Uint8Array, key: Uint8Array): Uint8Array {
  const next = new Uint8Array(BYTES)
  for (let place = 0; place < BYTES; place += 1) {
    const row = place >> 3
    let sum = key[place] ?? 0
    for (let column = 0; column < SIDE; column += 1) {
      const byte = state[(((row - column) & 7) << 3) | column] ?? 0
      sum ^= TABLES[(place - column) & 7]?.[byte] ?? 0
    }
    next[place] = sum
  }
  return next
}

function added(one: Uint8Array, other: Uint8Array): Uint8Array {
  return Uint8Array.from(one, (byte, place) => byte ^ (other[place] ?? 0))
}

function product(one: number, other: number): number {
  let sum = 0
  for (let left = one, right = other; right > 0; right >>= 1) {
    if (right & 1) sum ^= left
    left = left & 0x80 ? (left << 1) ^ POLYNOMIAL : left << 1
  }
  return sum
}

/** One bit, zeros, and the length in bits as 256 bits, big-endian. */
function paddedMessage(message: Uint8Array): Buffer {
  const padded = Buffer.alloc(BYTES * Math.ceil((message.length + 33) / BYTES))
  padded.set(message)
  padded[message.length] = 0x80
  padded.writeBigUInt64BE(BigInt(message.length) * 8n, padded.length - 8)
  return padded
}
