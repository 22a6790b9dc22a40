import { randomBytes, randomInt } from 'node:crypto'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { hash } from 'argon2'
import { afterEach, describe, expect, test } from 'vitest'
import type { StoredHash } from '../../src/domain.ts'
import { Failure } from '../../src/errors.ts'
import { argon2 } from '../../src/hashes/argon2.ts'
import type { Argon2Library } from '../../src/hashes/argon2-library.ts'
import { argon2Digest, probeArgon2, useArgon2Libraries } from '../../src/hashes/argon2-library.ts'
import { NO_CONTEXT } from '../../src/hashes/context.ts'
import { readHash } from '../../src/hashes/index.ts'
import { ALLOWED, readVectors, unsalted } from './vectors.ts'

const BOTH: readonly Argon2Library[] = ['node-rs', 'argon2']
const TYPES = ['argon2d', 'argon2i', 'argon2id'] as const

afterEach(() => useArgon2Libraries(BOTH))

describe('each library alone', () => {
  test.for(BOTH)('%s makes what the package argon2 makes, for parameters of every kind', async (library) => {
    useArgon2Libraries([library])
    for (let round = 0; round < 400; round += 1) {
      const password = randomBytes(randomInt(0, 200))
      const parameters = randomParameters(round)
      const { type, version, kibibytes, passes, lanes, salt, length } = parameters
      const expected = await hash(password, {
        raw: true,
        type: TYPES.indexOf(type) as 0 | 1 | 2,
        version,
        memoryCost: kibibytes,
        timeCost: passes,
        parallelism: lanes,
        salt,
        hashLength: length,
      })
      const made = await argon2Digest(password, parameters)
      expect(made.equals(expected), JSON.stringify({ ...parameters, salt: salt.length })).toBe(true)
    }
  })

  test.for(BOTH)('%s tells the right password from another', async (library) => {
    useArgon2Libraries([library])
    for (let round = 0; round < 30; round += 1) {
      const { version, kibibytes, passes, lanes, salt, type } = randomParameters(round)
      const password = randomBytes(randomInt(1, 100))
      const encoded = await hash(password, {
        type: TYPES.indexOf(type) as 0 | 1 | 2,
        version,
        memoryCost: kibibytes,
        timeCost: passes,
        parallelism: lanes,
        salt,
      })
      const read = argon2.read(encoded, unsalted(encoded), NO_CONTEXT)
      const before = Buffer.from(password)
      expect(await read.matches(password)).toBe(true)
      expect(password.equals(before)).toBe(true)
      expect(await read.matches(Buffer.concat([password, Buffer.from('x')]))).toBe(false)
      expect(await read.matches(password.subarray(1))).toBe(false)
    }
  })

  const vectors = ['argon2', 'argon2-prefixed', 'argon2-django', 'mediawiki-argon2', 'shiro2', 'keycloak']
    .flatMap(readVectors)
    .filter(({ stored, bomb, defect }) => !bomb && defect === undefined && kibibytesOf(stored) <= 102_400)

  test.for(BOTH)('%s agrees with every known vector', async (library) => {
    useArgon2Libraries([library])
    const wrong: string[] = []
    for (const { id, stored, context, password, expect: expected } of vectors)
      if ((await verdict(stored, password, context)) !== expected) wrong.push(id)
    expect(wrong).toEqual([])
  })
})

describe('which library computes', () => {
  test('associated data, by the one that takes it', async () => {
    const associatedData = Buffer.from('shop')
    const encoded = await hash('password', { memoryCost: 64, timeCost: 1, parallelism: 1, associatedData })
    for (const libraries of [BOTH, ['argon2']] as const) {
      useArgon2Libraries(libraries)
      expect(await verdict(unsalted(encoded), Buffer.from('password'))).toBe(true)
      const without = encoded.replace(/,data=[^$]*/, '')
      expect(await verdict(unsalted(without), Buffer.from('password'))).toBe(false)
    }
  })

  test.for([
    { title: 'nothing works', libraries: [], data: '' },
    {
      title: 'what works does not take associated data',
      libraries: ['node-rs'] as const,
      data: ',data=c2hvcA',
    },
  ])('unavailable, and never a verdict, where $title', async ({ libraries, data }) => {
    useArgon2Libraries(libraries)
    const encoded = argon2.example.replace('p=1', `p=1${data}`)
    const checked = readHash(unsalted(encoded)).matches(Buffer.from('x'))
    await expect(checked).rejects.toSatisfy(
      (error) => error instanceof Failure && error.code === 'unavailable' && error.detail === 'argon2-native',
    )
  })
})

describe('the probe', () => {
  const { resolve } = createRequire(import.meta.url)
  const real = { 'node-rs': resolve('@node-rs/argon2'), argon2: resolve('argon2') }
  const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}.cjs`, import.meta.url))
  const aborts = fixture('ends-the-process')
  const wrong = fixture('computes-wrongly')

  test('finds both here, the fastest first', async () => {
    expect(await probeArgon2()).toEqual(BOTH)
    // Where Node's permission model forbids the child process that asks first.
    expect(await probeArgon2(undefined, false)).toEqual(BOTH)
  })

  test.for([
    { title: 'the first ends the process', paths: [aborts, real.argon2], working: ['argon2'] },
    { title: 'the second ends the process', paths: [real['node-rs'], aborts], working: ['node-rs'] },
    { title: 'both end the process', paths: [aborts, aborts], working: [] },
    { title: 'the first computes wrongly', paths: [wrong, real.argon2], working: ['argon2'] },
    { title: 'the second computes wrongly', paths: [real['node-rs'], wrong], working: ['node-rs'] },
    { title: 'neither is there', paths: [fixture('missing'), fixture('missing')], working: [] },
  ])('when $title', async ({ paths: [first = '', second = ''], working }) => {
    const installed = [
      { library: 'node-rs', path: first },
      { library: 'argon2', path: second },
    ] as const
    expect(await probeArgon2(installed)).toEqual(working)
  })
})

const MIB = 1024 * 1024

test.for([
  { encoded: argon2.example, scheme: null, memory: 19 * MIB },
  { encoded: `{ARGON2ID}${argon2.example}`, scheme: null, memory: 19 * MIB },
  { encoded: `{argon2}${argon2.example}`, scheme: null, memory: 19 * MIB },
  { encoded: `argon2${argon2.example}`, scheme: null, memory: 19 * MIB },
  { encoded: argon2.example, scheme: 'argon2(hex(md5($pass)))', memory: 19 * MIB },
  { encoded: argon2.example.replace('m=19456', 'm=1048576'), scheme: null, memory: 1024 * MIB },
  { encoded: `${'5a'.repeat(32)}:carryover:1:2`, scheme: 'magento', memory: 64 * MIB },
  {
    encoded: '$scrypt$ln=16,r=8,p=2$Y2FycnlvdmVyY2Fycnlvdg$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo',
    scheme: null,
    memory: 128 * 8 * (65_536 + 2 + 2),
  },
  {
    encoded: '5a'.repeat(32),
    scheme: "scrypt($pass, 'salt', 16384, 8, 1, 32)",
    memory: 128 * 8 * (16_384 + 1 + 2),
  },
  { encoded: `carryover:${'5a'.repeat(64)}`, scheme: 'scrypt-raw', memory: 128 * 16 * (16_384 + 1 + 2) },
  { encoded: '5a'.repeat(32), scheme: 'sha256', memory: undefined },
])('memory of $encoded as $scheme', ({ encoded, scheme, memory }) => {
  expect(readHash(unsalted(encoded, scheme), ALLOWED).memory).toBe(memory)
})

function randomParameters(round: number) {
  const lanes = randomInt(1, 9)
  return {
    type: TYPES[round % 3] ?? 'argon2id',
    version: round % 2 === 0 ? (19 as const) : (16 as const),
    lanes,
    kibibytes: randomInt(8 * lanes, 8 * lanes + 200),
    passes: randomInt(2, 5) - (round % 2 === 0 ? 1 : 0),
    salt: randomBytes(randomInt(8, 65)),
    data: Buffer.alloc(0),
    length: randomInt(16, 65),
  }
}

function kibibytesOf({ encoded }: StoredHash): number {
  return Number(/m=(\d+)/.exec(encoded ?? '')?.[1] ?? 0)
}

/** What cannot be read does not match. */
async function verdict(stored: StoredHash, password: Uint8Array, context = ALLOWED): Promise<boolean> {
  let read: ReturnType<typeof readHash>
  try {
    read = readHash(stored, context)
  } catch {
    return false
  }
  return await read.matches(password)
}
