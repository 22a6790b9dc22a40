/** The compression function of MD5 after RFC 1321, for schemes that store a state in the middle of it. */

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
]

const CONSTANTS = Int32Array.from({ length: 64 }, (_, step) =>
  Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32),
)

/** The state of MD5 after one block of 64 bytes, as its four words. */
export function md5State(block: Buffer): Buffer {
  const initial = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
  let [a = 0, b = 0, c = 0, d = 0] = initial
  for (let step = 0; step < 64; step += 1) {
    const { mixed, place } = mix(step, b, c, d)
    const sum = (a + mixed + (CONSTANTS[step] ?? 0) + block.readInt32LE(4 * place)) | 0
    const shift = SHIFTS[step >> 4]?.[step & 3] ?? 0
    a = d
    d = c
    c = b
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0
  }
  const state = Buffer.alloc(16)
  for (const [index, word] of [a, b, c, d].entries())
    state.writeInt32LE((word + (initial[index] ?? 0)) | 0, 4 * index)
  return state
}

function mix(step: number, b: number, c: number, d: number): { mixed: number; place: number } {
  switch (step >> 4) {
    case 0:
      return { mixed: (b & c) | (~b & d), place: step }
    case 1:
      return { mixed: (d & b) | (~d & c), place: (5 * step + 1) & 15 }
    case 2:
      return { mixed: b ^ c ^ d, place: (3 * step + 5) & 15 }
    default:
      return { mixed: c ^ (b | ~d), place: (7 * step) & 15 }
  }
}
