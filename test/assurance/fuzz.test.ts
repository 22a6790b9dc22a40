import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { StoredHash } from '../../src/domain.ts'
import type { HashContext } from '../../src/hashes/context.ts'
import { HashError } from '../../src/hashes/format.ts'
import { readHash } from '../../src/hashes/index.ts'
import { createBudget } from '../hashes/spending.ts'
import { HARDENING_CONTEXT, readVectors, unsalted } from '../hashes/vectors.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { seeded } from '../helpers/random.ts'

const INPUTS = sized(1_000_000, 10_000_000)
/** Checks of mutants that are more than a digest; the rest is only read. */
const COSTLY_CHECKS = 300
const NOBODYS_PASSWORD = Buffer.from('no vector has this password, so nothing may match it')
const SEED = 0x5eed
/** Of one read, and of one check that may run on the event loop. */
const MOST = { millis: 5, bytes: 1024 * 1024 }
const PEPPERED: HashContext = {
  recipes: new Map(),
  secrets: new Map([['pepper', Buffer.from('pepper')]]),
  plaintext: false,
  hardening: HARDENING_CONTEXT.hardening,
}

test(
  `${INPUTS} mutants are read or refused within ${MOST.millis} ms and a mebibyte each, and none matches`,
  allowed(240_000, 900_000),
  async () => {
    const random = seeded(SEED)
    const seeds = readdirSync(new URL('../hashes/vectors/', import.meta.url)).flatMap((file) =>
      readVectors(file.replace('.json', '')).map(({ stored }) => stored),
    )
    expect(seeds.length).toBeGreaterThan(1_800)
    const reads = createBudget(MOST)
    const checks = createBudget(MOST)
    let read = 0
    let costly = 0
    for (let input = 0; input < INPUTS; input += 1) {
      const stored = mutant(pick(seeds, random), seeds, random)
      const name = `input ${input} of seed ${SEED}`
      const hash = await reads.spend(() => readOrRefuse(stored), `reading ${name}`)
      if (!hash) continue
      read += 1
      if (hash.millis >= 5) continue
      const isCheap = !hash.native && hash.millis < 1
      if (!isCheap) {
        costly += 1
        if (costly > COSTLY_CHECKS) continue
      }
      const check = () => hash.matches(NOBODYS_PASSWORD)
      if (await (isCheap ? checks.spend(check, `checking ${name}`) : check()))
        throw new Error(`${name} matches`)
    }
    // Mutants that are all refused would test the first guard and nothing behind it.
    expect(read).toBeGreaterThan(INPUTS / 20)
    expect(costly).toBeGreaterThan(0)
    const line = (what: string, wanted: string, got: string) =>
      measured({ part: 'fuzz', requirement: 'R-21', what, wanted, got })
    const dearest = ({ dearest: { millis, bytes } }: typeof reads) =>
      `${millis.toFixed(2)} ms, ${Math.ceil(bytes / 1024)} KiB`
    line(
      'hostile stored strings that throw, or match a password',
      '0',
      `0 of ${INPUTS} (${read} of them readable)`,
    )
    line('the dearest reading of one', 'at most 5 ms, 1 MiB', dearest(reads))
    line('the dearest cheap check of one', 'at most 5 ms, 1 MiB', dearest(checks))
  },
)

const bcryptLike = unsalted(`$2b$10$${'.'.repeat(53)}`)

test.for([
  { title: 'takes 20 ms', work: () => busyFor(20), fails: /^a read took \d\d\.\d ms$/ },
  {
    title: 'takes 2 MiB of bytes',
    work: () => Buffer.alloc(2 * MOST.bytes),
    fails: /^a read took 2\d{6} bytes$/,
  },
  {
    title: 'takes 2 MiB of numbers',
    work: () => new Array<number>(MOST.bytes / 4).fill(0.5),
    fails: /^a read took \d{7} bytes$/,
  },
])('a format that $title is noticed', async ({ work, fails }) => {
  const read = () => [work(), readOrRefuse(bcryptLike)]
  await expect(createBudget(MOST).spend(read, 'a read')).rejects.toThrow(fails)
})

test('one bad moment is not the fault of the format', async () => {
  let times = 0
  const read = () => {
    times += 1
    return times === 1 ? busyFor(20) : readOrRefuse(bcryptLike)
  }
  await createBudget(MOST).spend(read, 'a read')
  expect(times).toBeGreaterThan(1)
})

function busyFor(millis: number): void {
  const end = performance.now() + millis
  while (performance.now() < end);
}

function readOrRefuse(stored: StoredHash) {
  try {
    return readHash(stored, PEPPERED)
  } catch (error) {
    if (error instanceof HashError) return undefined
    throw error
  }
}

type Random = () => number

function mutant(stored: StoredHash, seeds: readonly StoredHash[], random: Random): StoredHash {
  const other = pick(seeds, random)
  const field = random()
  if (field < 0.6) return { ...stored, encoded: mutated(stored.encoded ?? '', other.encoded ?? '', random) }
  if (field < 0.9) return { ...stored, scheme: mutated(stored.scheme ?? '', other.scheme ?? '', random) }
  return { ...stored, salt: mutated(stored.salt ?? '', other.salt ?? '', random) }
}

const SIGNS = [
  ..."$.,=()'\\/+*!{}:;-_ \0\n09azAZ\u00e9\u20ac\u{1f600}",
  '\ud800',
  'hex(',
  'unhex(',
  '$pass',
  '$salt',
  'md5(',
  'repeat(9,',
  'bcrypt(',
]
const NUMBERS = ['0', '-1', '00', '99999999999999999999', '4294967296', '1e9', '0x10', '2147483648']

function mutated(text: string, other: string, random: Random): string {
  const at = Math.floor(random() * (text.length + 1))
  const kind = Math.floor(random() * 10)
  if (kind === 0) return text.slice(0, at)
  if (kind === 1) return text.slice(0, at) + pick(SIGNS, random) + text.slice(at)
  if (kind === 2) return text.slice(0, at) + pick(SIGNS, random) + text.slice(at + 1)
  if (kind === 3) return text.slice(0, at) + other.slice(Math.floor(random() * other.length))
  if (kind === 4) return text.replace(/\d+/g, (digits) => (random() < 0.3 ? pick(NUMBERS, random) : digits))
  if (kind === 5) return text.slice(at) + text.slice(0, at)
  if (kind === 6) return text.slice(0, at) + flipped(text.charCodeAt(at) || 0, random) + text.slice(at + 1)
  if (kind === 7) return text.slice(0, at) + text.slice(at + 1 + Math.floor(random() * 8))
  if (kind === 8) return text.replace(/\d+/g, (digits) => (random() < 0.2 ? digits.repeat(9) : digits))
  return random() < 0.01 ? text.repeat(40) : text.toUpperCase()
}

function flipped(code: number, random: Random): string {
  return String.fromCharCode(code ^ (1 << Math.floor(random() * 16)))
}

function pick<Item>(items: readonly Item[], random: Random): Item {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}
