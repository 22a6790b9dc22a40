import { bigEndianWords } from './eks-key.ts'
import { P_WORDS, S_WORDS } from './eks-module.ts'

/** The state that Blowfish starts from. */
export interface State {
  readonly p: Int32Array
  readonly s: Int32Array
}

let firstState: State | undefined

/** Blowfish starts from the fraction of pi. It takes some milliseconds to compute once, and needs no table to trust. */
export function initialState(): State {
  if (!firstState) {
    const words = bigEndianWords(fractionOfPi(4 * (P_WORDS + S_WORDS)), P_WORDS + S_WORDS)
    firstState = { p: words.subarray(0, P_WORDS), s: words.subarray(P_WORDS) }
  }
  return firstState
}

/** Some bits more than needed take up what rounding loses. */
const SPARE_BITS = 64

/** Machin: pi = 16 arctan(1/5) - 4 arctan(1/239). */
function fractionOfPi(bytes: number): Buffer {
  const bits = 8 * bytes + SPARE_BITS
  const one = 1n << BigInt(bits)
  const pi = 16n * arctanOfInverse(5, bits) - 4n * arctanOfInverse(239, bits)
  const fraction = (pi % one) >> BigInt(SPARE_BITS)
  return Buffer.from(fraction.toString(16).padStart(2 * bytes, '0'), 'hex')
}

/** arctan(1/x) = 1/x - 1/3x^3 + 1/5x^5 ..., in units of 2^-bits. */
function arctanOfInverse(x: number, bits: number): bigint {
  const terms = Math.ceil(bits / Math.log2(x * x))
  const { sum, odd, power } = sumOf(BigInt(x * x), 0, terms)
  return ((BigInt(x) * sum) << BigInt(bits)) / (odd * power)
}

/**
 * The terms from `from` to before `to` as one fraction, `sum / (odd * power)`, without x in the first of them. Halves
 * are added, because long numbers are multiplied faster than one after another is divided.
 */
function sumOf(square: bigint, from: number, to: number): { sum: bigint; odd: bigint; power: bigint } {
  if (to - from === 1) return { sum: 1n, odd: BigInt(2 * from + 1), power: square }
  const middle = (from + to) >> 1
  const left = sumOf(square, from, middle)
  const right = sumOf(square, middle, to)
  const sign = (middle - from) % 2 === 0 ? 1n : -1n
  return {
    sum: left.sum * right.odd * right.power + sign * right.sum * left.odd,
    odd: left.odd * right.odd,
    power: left.power * right.power,
  }
}
