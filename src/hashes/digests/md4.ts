/** MD4 after RFC 1320. The OpenSSL of Node has it in a provider that is not loaded. */

const ROUNDS: readonly {
  readonly mix: (x: number, y: number, z: number) => number
  readonly constant: number
  readonly order: readonly number[]
  readonly shifts: readonly number[]
}[] = [
  {
    mix: (x, y, z) => (x & y) | (~x & z),
    constant: 0,
    order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    shifts: [3, 7, 11, 19],
  },
  {
    mix: (x, y, z) => (x & y) | (x & z) | (y & z),
    constant: 0x5a827999,
    order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
    shifts: [3, 5, 9, 13],
  },
  {
    mix: (x, y, z) => x ^ y ^ z,
    constant: 0x6ed9eba1,
    order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
    shifts: [3, 9, 11, 15],
  },
]

const BLOCK_BYTES = 64

export function md4(message: Uint8Array): Buffer {
  const padded = paddedMessage(message)
  let state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
  for (let at = 0; at < padded.length; at += BLOCK_BYTES) {
    const block = padded.subarray(at, at + BLOCK_BYTES)
    const mixed = compressed(state, block)
    state = state.map((word, index) => (word + (mixed[index] ?? 0)) | 0)
  }
  const digest = Buffer.alloc(16)
  state.forEach((word, index) => {
    digest.writeInt32LE(word, 4 * index)
  })
  return digest
}

function compressed(state: readonly number[], block: Buffer): readonly number[] {
  let [a = 0, b = 0, c = 0, d = 0] = state
  for (const { mix, constant, order, shifts } of ROUNDS) {
    for (let step = 0; step < 16; step += 1) {
      const word = block.readInt32LE(4 * (order[step] ?? 0))
      const sum = (a + mix(b, c, d) + word + constant) | 0
      const shift = shifts[step % 4] ?? 0
      a = d
      d = c
      c = b
      b = (sum << shift) | (sum >>> (32 - shift))
    }
  }
  return [a, b, c, d]
}

/** One bit, zeros, and the length in bits as 64 bits, little-endian. */
function paddedMessage(message: Uint8Array): Buffer {
  const padded = Buffer.alloc(BLOCK_BYTES * Math.ceil((message.length + 9) / BLOCK_BYTES))
  padded.set(message)
  padded[message.length] = 0x80
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8)
  return padded
}
