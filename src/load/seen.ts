import { randomInt } from 'node:crypto'

/** Bits a row: about one row in a hundred thousand is then wrongly taken for seen. */
const BITS_PER_ROW = 32
const PROBES = 4
/** 64 MiB. Beyond 16 million rows the filter errs more often, which costs time and nothing else. */
const MOST_BITS = 2 ** 29
const LEAST_BITS = 2 ** 16

/** Which ids may have been there before: a Bloom filter. It is never wrong when it says that an id is new. */
export interface Seen {
  /** Remembers an id, and says whether it may have been remembered before. */
  remember(id: string): boolean
}

export function createSeen(expectedRows: number): Seen {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, expectedRows * BITS_PER_ROW)))
  const bits = Math.min(MOST_BITS, Math.max(LEAST_BITS, wanted))
  const words = new Uint32Array(bits / 32)
  // Of its own for every run, so that no file can be made for which everything collides.
  const [seed, other] = [randomInt(2 ** 32), randomInt(2 ** 32)]
  return {
    remember: (id) => {
      let a = seed
      let b = other
      for (let at = 0; at < id.length; at++) {
        const unit = id.charCodeAt(at)
        a = Math.imul(a ^ unit, 0x01000193)
        b = Math.imul((b << 13) | (b >>> 19), 5) ^ Math.imul(unit, 0xcc9e2d51)
      }
      a = mixed(a ^ id.length)
      b = mixed(b) | 1
      let known = true
      for (let probe = 0; probe < PROBES; probe++) {
        const bit = ((a + Math.imul(probe, b)) >>> 0) & (bits - 1)
        const word = bit >>> 5
        const mask = 1 << (bit & 31)
        const before = words[word] ?? 0
        if ((before & mask) === 0) {
          known = false
          words[word] = before | mask
        }
      }
      return known
    },
  }
}

/** The last steps of MurmurHash3: every bit of the input changes half of the output's. */
function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
