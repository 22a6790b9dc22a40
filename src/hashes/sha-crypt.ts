import { hash } from 'node:crypto'
import { affordable, ceilings, ceilingWords, isWithin } from './ceilings.ts'
import { comparedText } from './compared.ts'
import { cryptRounds, repeatedTo } from './crypt-rounds.ts'
import { crypt64, selfContained } from './crypt64.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { portably } from './portable-form.ts'

/** Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512". */
const DEFAULT_ROUNDS = 5000
/** One step hashes the password as often as it has bytes (CVE-2016-20013). */
const PASSWORD_BYTES = ceilings.shaCrypt.passwordBytes

interface Variant {
  readonly name: string
  readonly prefix: string
  readonly digest: 'sha256' | 'sha512'
  /** Which byte of the digest is written at each place. */
  readonly order: readonly number[]
  /** For a password and a salt of ordinary length: most messages of SHA-256 have two blocks, those of SHA-512 one. */
  readonly millisPerRound: number
  /** Of the digits of the digest, the last ones have spare bits that are zero. */
  readonly digits: string
  readonly digitCount: number
}

export const sha512crypt = shaCrypt({
  name: 'sha512crypt',
  prefix: '$6$',
  digest: 'sha512',
  order: ordered([42, 21, 0], ([low, middle, high]) => [high + 1, low + 1, middle + 1], 21, [63]),
  millisPerRound: 0.00022,
  digits: '[./0-9A-Za-z]{85}[./01]',
  digitCount: 86,
})

export const sha256crypt = shaCrypt({
  name: 'sha256crypt',
  prefix: '$5$',
  digest: 'sha256',
  order: ordered([20, 10, 0], ([low, middle, high]) => [middle + 1, high + 1, low + 1], 10, [30, 31]),
  millisPerRound: 0.00028,
  digits: '[./0-9A-Za-z]{42}[./0-9A-D]',
  digitCount: 43,
})

type Triple = readonly [number, number, number]

function ordered(
  first: Triple,
  next: (triple: Triple) => Triple,
  triples: number,
  rest: readonly number[],
): number[] {
  const order: number[] = []
  for (let triple = first; order.length < 3 * triples; triple = next(triple)) order.push(...triple)
  return [...order, ...rest]
}

function shaCrypt(variant: Variant): Family {
  const { name, prefix, digits, digitCount } = variant
  const whole = new RegExp(
    `^\\$[56]\\$(?:rounds=([1-9]\\d{0,9})\\$)?((?!rounds=)[\\x20-\\x23\\x25-\\x7e]{0,16})\\$(${digits})$`,
  )
  const decoy = (setting: string) =>
    selfContained(`${prefix}${setting}CarryoverCarryov$${'.'.repeat(digitCount)}`)
  return {
    name,
    note: `passwords of at most ${PASSWORD_BYTES.most} bytes`,
    sources: 'Linux, Moodle, Dovecot',
    ceiling: ceilingWords.shaCrypt,
    example: decoy('').encoded ?? '',
    shape: new RegExp(`^\\${prefix.slice(0, 2)}\\$`),
    read(encoded) {
      const [, digits, salt, digest] = whole.exec(encoded) ?? []
      if (salt === undefined || digest === undefined) {
        throw new HashError(
          'malformed',
          `a ${name} hash has perhaps rounds, a salt of at most 16 characters and ${digitCount} characters of digest`,
        )
      }
      const rounds = affordable(
        Number(digits ?? DEFAULT_ROUNDS),
        ceilings.shaCrypt.rounds,
        `the rounds of a ${name} hash`,
      )
      return {
        scheme: name,
        millis: rounds * variant.millisPerRound,
        decoy: decoy(digits === undefined ? '' : `rounds=${rounds}$`),
        ...portably(
          comparedText(digest, (password) =>
            isWithin(password.length, PASSWORD_BYTES)
              ? digestOf(variant, password, Buffer.from(salt, 'latin1'), rounds)
              : null,
          ),
          () => ({ kind: 'crypt', scheme: `${variant.digest}-crypt`, text: encoded }),
        ),
      } satisfies ReadHash
    },
  }
}

function digestOf({ digest, order }: Variant, password: Uint8Array, salt: Buffer, rounds: number): string {
  const digestOfAll = (...parts: Uint8Array[]) => hash(digest, Buffer.concat(parts), 'buffer')
  const length = password.length
  const inner = digestOfAll(password, salt, password)
  const first = digestOfAll(
    password,
    salt,
    repeatedTo(length, inner),
    ...bitsOf(length).map((bit) => (bit ? inner : password)),
  )
  const repeatedPassword = repeatedTo(length, digestOfAll(repeatedTo(length * length, password)))
  const saltTimes = 16 + (first[0] ?? 0)
  const repeatedSalt = repeatedTo(salt.length, digestOfAll(repeatedTo(salt.length * saltTimes, salt)))
  const last = cryptRounds(digest, { first, password: repeatedPassword, salt: repeatedSalt, rounds })
  return crypt64(Uint8Array.from(order, (at) => last[at] ?? 0))
}

/** The binary digits, lowest first; none of zero. */
function bitsOf(number: number): boolean[] {
  const digits = number === 0 ? '' : number.toString(2)
  return Array.from(digits, (digit) => digit === '1').reverse()
}
