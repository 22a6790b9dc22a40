import { spawnSync } from 'node:child_process'
import { hashSync } from 'bcryptjs'
import { describe, expect, test } from 'vitest'
import type { BcryptJob } from '../../src/hashes/bcrypt-work.ts'
import { createBcryptWork } from '../../src/hashes/bcrypt-work.ts'
import { bcrypt64OfBytes } from '../../src/hashes/bcrypt64.ts'
import { eksBlowfish } from '../../src/hashes/eksblowfish.ts'
import { guardedKey, plainKey, signExtendedKey } from '../../src/lanes/eks-key.ts'
import { createEksLanes, MOST_LANES } from '../../src/lanes/eks-lanes.ts'
import { eksModule } from '../../src/lanes/eks-module.ts'
import { bytesOf } from '../helpers/bytes.ts'
import { memoriesMadeBy } from '../helpers/wasm-memory.ts'

const work = createBcryptWork()
const lanes = createEksLanes()

const number = (seed: string, below: number) => bytesOf(seed, 4).readUInt32BE() % below
const ALPHABET = ['a', 'Z', '0', '$', ' ', 'é', 'ß', 'Ω', '€', '漢', '🙂']

/** Text of up to 90 characters of one to four bytes. */
function text(seed: string): string {
  return Array.from(
    bytesOf(seed, number(`${seed} length`, 91)),
    (byte) => ALPHABET[byte % ALPHABET.length],
  ).join('')
}

function inGroups<T>(items: readonly T[], size: (group: number) => number): T[][] {
  const groups: T[][] = []
  for (let at = 0; at < items.length; at += groups.at(-1)?.length ?? 1)
    groups.push(items.slice(at, at + size(groups.length)))
  return groups
}

const settingOf = ({ revision, cost, salt }: BcryptJob) =>
  `$2${revision}$${String(cost).padStart(2, '0')}$${bcrypt64OfBytes(salt)}`
const written = (job: BcryptJob, digest: Buffer | undefined) =>
  settingOf(job) + bcrypt64OfBytes(digest ?? Buffer.alloc(0))

test('the lanes work here', () => {
  expect(work.lanesWork()).toBe(true)
})

describe('text is hashed as bcryptjs does it', () => {
  const job = (seed: string, cost: number): BcryptJob => ({
    revision: ['a', 'b', 'y'][number(`${seed} revision`, 3)] ?? 'b',
    cost,
    salt: bytesOf(`${seed} salt`, 16),
    password: Buffer.from(text(seed)),
  })
  const expected = (one: BcryptJob) =>
    settingOf(one) + hashSync(one.password.toString(), settingOf({ ...one, revision: 'b' })).slice(29)

  test.for([
    { cost: 4, count: 2500 },
    { cost: 5, count: 60 },
    { cost: 6, count: 30 },
    { cost: 7, count: 18 },
    { cost: 8, count: 12 },
  ])('$count passwords at cost $cost', ({ cost, count }) => {
    const jobs = Array.from({ length: count }, (_, index) => job(`${cost} ${index}`, cost))
    for (const group of inGroups(jobs, (index) => 1 + (index % MOST_LANES)))
      expect(
        work.digestsOf(group).map((digest, lane) => written(group[lane] ?? (jobs[0] as BcryptJob), digest)),
      ).toEqual(group.map(expected))
  })
})

describe('bytes are hashed as eksblowfish without WebAssembly does it', () => {
  const lengths = [0, 1, 2, 3, 4, 17, 18, 19, 55, 71, 72, 73, 74, 255, 256, 4096]
  const keys = [plainKey, signExtendedKey, guardedKey]

  test.for(lengths)('passwords of %d bytes, in every lane', (length) => {
    for (const [index, keyOf] of keys.entries()) {
      const jobs = Array.from({ length: MOST_LANES }, (_, lane) => {
        const seed = `${length} ${index} ${lane}`
        const key = keyOf(Buffer.concat([bytesOf(seed, length).subarray(0, 72), Buffer.alloc(1)]))
        return { key, salt: bytesOf(`${seed} salt`, 16) }
      })
      const expected = jobs.map(({ key, salt }) => eksBlowfish(key, salt, 4))
      for (let count = 1; count <= MOST_LANES; count += 1) {
        for (let first = 0; first + count <= MOST_LANES; first += 1)
          expect(lanes(jobs.slice(first, first + count), 4)).toEqual(expected.slice(first, first + count))
      }
      expect(lanes(jobs.toReversed(), 4)).toEqual(expected.toReversed())
    }
  })

  test('the bit that $2a$ adds', () => {
    const key = guardedKey(Buffer.from('ffffa300', 'hex'))
    const salt = bytesOf('guard', 16)
    expect(key.guard).not.toBe(0)
    expect(
      lanes(
        [key, { ...key, guard: 0 }].map((one) => ({ key: one, salt })),
        4,
      ),
    ).toEqual([eksBlowfish(key, salt, 4), eksBlowfish({ ...key, guard: 0 }, salt, 4)])
  })
})

/** crypt(3) of this machine by way of Perl, which gives it bytes as they are; null where it does not know the setting. */
function crypts(jobs: readonly BcryptJob[]): (string | null)[] {
  const program =
    'while (<STDIN>) { chomp; my ($p, $s) = split / /; print crypt(pack("H*", $p), $s) // "", "\\n" }'
  const input = jobs.map((job) => `${Buffer.from(job.password).toString('hex')} ${settingOf(job)}\n`).join('')
  const { status, stdout } = spawnSync('perl', ['-e', program], { input, encoding: 'latin1' })
  const lines = status === 0 ? stdout.split('\n') : []
  return jobs.map((_, index) => (lines[index]?.startsWith('$2') ? lines[index] : null))
}

function bytewise(revision: string, index: number): BcryptJob {
  const seed = `${revision} ${index}`
  // crypt() ends at a NUL. Bytes above 0x7f are what the revisions differ in.
  const password = bytesOf(seed, number(`${seed} length`, 100)).map((byte) =>
    index % 2 === 0 ? byte | 0x80 : byte || 1,
  )
  return { revision, cost: 4, salt: bytesOf(`${seed} salt`, 16), password }
}

test.for(['a', 'b', 'x', 'y'])(
  '$2%s$ of any bytes is what crypt(3) of this machine makes',
  (revision, { skip }) => {
    const jobs = Array.from({ length: 300 }, (_, index) => bytewise(revision, index))
    const expected = crypts(jobs)
    if (expected[0] === null) skip('crypt(3) of this machine has no such revision')
    const made = inGroups(jobs, (index) => MOST_LANES - (index % MOST_LANES)).flatMap((group) =>
      work.digestsOf(group).map((digest, lane) => written(group[lane] ?? (jobs[0] as BcryptJob), digest)),
    )
    expect(made).toEqual(expected)
  },
)

test('what is no number of lanes, or not of one cost, is refused', () => {
  const job = bytewise('b', 0)
  expect(() => lanes([], 4)).toThrow(RangeError)
  expect(() => work.digestsOf(Array.from({ length: MOST_LANES + 1 }, () => job))).toThrow(RangeError)
  expect(() => work.digestsOf([job, { ...job, cost: 5 }])).toThrow(RangeError)
})

test('nothing stays in the memory of a module', () => {
  const memories = memoriesMadeBy(() => {
    const watched = createEksLanes()
    for (let count = 1; count <= MOST_LANES; count += 1)
      watched(
        Array.from({ length: count }, () => ({ key: plainKey(Buffer.from('a\0')), salt: bytesOf('s', 16) })),
        4,
      )
  })
  expect(memories.length).toBe(MOST_LANES)
  for (const { buffer } of memories) expect(new Uint8Array(buffer).every((byte) => byte === 0)).toBe(true)
})

describe('where the lanes do not pass their test', () => {
  const jobs = [
    { revision: '', password: Buffer.from('text') },
    { revision: '', password: Buffer.alloc(0) },
    { revision: 'a', password: Buffer.from('ffffa3', 'hex') },
    { revision: 'b', password: Buffer.from('tëxt') },
    { revision: 'x', password: Buffer.from('ffffa3', 'hex') },
    { revision: 'y', password: Buffer.from('é'.repeat(40)) },
  ].map((job, index) => ({ ...job, cost: 4, salt: bytesOf(`fallback ${index}`, 16) }))
  const right = jobs.flatMap((job) => work.digestsOf([job]))

  /** A module whose last load reads another S-box: it validates and computes something else. */
  const wrongAt = (count: number) => (of: number) => {
    const made = eksModule(of)
    if (of !== count) return made
    const load = Buffer.from([0x28, 2, 0x80, 0x18])
    const at = Buffer.from(made).lastIndexOf(load)
    expect(at).toBeGreaterThan(0)
    return made.with(at + 3, 0x10) as Uint8Array<ArrayBuffer>
  }

  test.for([
    { title: 'no module', broken: () => createEksLanes(() => Uint8Array.of(0, 1, 2)) },
    ...Array.from({ length: MOST_LANES }, (_, index) => ({
      title: `another computation with ${index + 1} lanes`,
      broken: () => createEksLanes(wrongAt(index + 1)),
    })),
    {
      title: 'nothing but zeros',
      broken: () => (list: readonly unknown[]) => list.map(() => Buffer.alloc(23)),
    },
    {
      title: 'the same answer, whatever the password',
      broken: () => (list: Parameters<typeof lanes>[0], cost: number) => {
        const known = (job: (typeof list)[number]) => ({
          ...job,
          key: kept.get(job.salt.toString()) ?? job.key,
        })
        for (const { key, salt } of list)
          if (!kept.has(salt.toString())) kept.set(salt.toString(), { ...key, words: key.words.slice() })
        return lanes(list.map(known), cost)
      },
    },
  ])('$title: the answers stay right', ({ broken }) => {
    const fallen = createBcryptWork(broken())
    expect(fallen.lanesWork()).toBe(false)
    expect(fallen.digestsOf(jobs)).toEqual(right)
  })
})

const kept = new Map<string, ReturnType<typeof plainKey>>()
