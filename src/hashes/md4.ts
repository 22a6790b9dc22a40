/** MD4 of RFC 1320, which OpenSSL 3 offers no longer. Broken; only for hashes that others made with it. */
export function md4(message: Uint8Array): Buffer {
  const blocks = padded(message)
  const state = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476])
  const words = new Uint32Array(16)
  for (let at = 0; at < blocks.length; at += 64) {
    for (let word = 0; word < 16; word += 1) words[word] = blocks.readUInt32LE(at + 4 * word)
    compress(state, words)
  }
  const digest = Buffer.alloc(16)
  state.forEach((word, index) => {
    digest.writeUInt32LE(word, 4 * index)
  })
  return digest
}

/** A one bit, zeros, and the length in bits as 64 bits, least significant first. */
function padded(message: Uint8Array): Buffer {
  const blocks = Buffer.alloc(64 * Math.ceil((message.length + 9) / 64))
  blocks.set(message)
  blocks[message.length] = 0x80
  blocks.writeBigUInt64LE(BigInt(message.length) * 8n, blocks.length - 8)
  return blocks
}

interface Round {
  readonly order: readonly number[]
  readonly shifts: readonly number[]
  readonly constant: number
  mix(b: number, c: number, d: number): number
}

const ROUNDS: readonly Round[] = [
  {
    order: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    shifts: [3, 7, 11, 19],
    constant: 0,
    mix: (b, c, d) => (b & c) | (~b & d),
  },
  {
    order: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
    shifts: [3, 5, 9, 13],
    constant: 0x5a827999,
    mix: (b, c, d) => (b & c) | (b & d) | (c & d),
  },
  {
    order: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
    shifts: [3, 9, 11, 15],
    constant: 0x6ed9eba1,
    mix: (b, c, d) => b ^ c ^ d,
  },
]

function compress(state: Uint32Array, words: Uint32Array): void {
  let [a = 0, b = 0, c = 0, d = 0] = state
  for (const { order, shifts, constant, mix } of ROUNDS) {
    order.forEach((word, step) => {
      const sum = (a + mix(b, c, d) + (words[word] ?? 0) + constant) | 0
      const shift = shifts[step % 4] ?? 0
      const turned = (sum << shift) | (sum >>> (32 - shift))
      ;[a, b, c, d] = [d, turned, b, c]
    })
  }
  ;[a, b, c, d].forEach((word, index) => {
    state[index] = ((state[index] ?? 0) + word) >>> 0
  })
}
