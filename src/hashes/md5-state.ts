/** RFC 1321, 3.4. */
const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const
const CONSTANTS = Array.from({ length: 64 }, (_, step) => Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32))

/** The state of MD5 after one block of 64 bytes, which node:crypto does not give away. */
export function md5State(block: Uint8Array): Buffer {
  const words = Buffer.from(block)
  const start = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
  let [a = 0, b = 0, c = 0, d = 0] = start
  CONSTANTS.forEach((constant, step) => {
    const round = step >> 4
    const { mixed, place } = mix(round, step, b, c, d)
    const sum = (a + mixed + constant + words.readInt32LE(4 * place)) | 0
    const shift = SHIFTS[round]?.[step % 4] ?? 0
    ;[a, b, c, d] = [d, (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0, b, c]
  })
  const state = Buffer.alloc(16)
  for (const [place, word] of [a, b, c, d].entries())
    state.writeInt32LE((word + (start[place] ?? 0)) | 0, 4 * place)
  return state
}

function mix(round: number, step: number, b: number, c: number, d: number): { mixed: number; place: number } {
  if (round === 0) return { mixed: (b & c) | (~b & d), place: step % 16 }
  if (round === 1) return { mixed: (d & b) | (~d & c), place: (5 * step + 1) % 16 }
  if (round === 2) return { mixed: b ^ c ^ d, place: (3 * step + 5) % 16 }
  return { mixed: c ^ (b | ~d), place: (7 * step) % 16 }
}
