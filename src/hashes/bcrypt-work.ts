import { timingSafeEqual } from 'node:crypto'
import { hashSync } from 'bcryptjs'
import type { EksKey } from '../lanes/eks-key.ts'
import { guardedKey, plainKey, signExtendedKey } from '../lanes/eks-key.ts'
import type { EksLanes } from '../lanes/eks-lanes.ts'
import { createEksLanes, MOST_LANES } from '../lanes/eks-lanes.ts'
import { bcrypt64OfBytes, bytesOfBcrypt64 } from './bcrypt64.ts'
import { eksBlowfish } from './eksblowfish.ts'
import { textOfUtf8 } from './encodings.ts'

/** One password to hash. It is good for as long as the memory of the password is. */
export interface BcryptJob {
  /** What stands behind the 2: nothing, a, b, x or y. */
  readonly revision: string
  readonly cost: number
  /** 16 bytes. */
  readonly salt: Uint8Array
  readonly password: Uint8Array
}

export interface BcryptWork {
  /** The 23 bytes that are stored, for each of 1 to MOST_LANES jobs of one cost, in their order. */
  digestsOf(jobs: readonly BcryptJob[]): Buffer[]
  /** Whether the lanes have passed their test, which the first question or the first job starts. */
  lanesWork(): boolean
}

/** bcryptjs takes over, one job after another, where the lanes do not pass their test. */
export function createBcryptWork(lanes: EksLanes = createEksLanes()): BcryptWork {
  let passed: boolean | undefined
  const lanesWork = () => {
    passed ??= passesTest(lanes)
    return passed
  }
  return {
    lanesWork,
    digestsOf: (jobs) => (lanesWork() ? onLanes(lanes, jobs) : jobs.map(withoutLanes)),
  }
}

const BCRYPTJS_REVISIONS = ['a', 'b', 'y']
/** bcrypt ignores the rest of a password. A login that worked with it before must go on working. */
const KEY_BYTES = 72

function onLanes(lanes: EksLanes, jobs: readonly BcryptJob[]): Buffer[] {
  const cost = jobs[0]?.cost ?? 0
  if (jobs.some((job) => job.cost !== cost)) throw new RangeError('expected jobs of one cost')
  const keyed = jobs.map((job) => ({ key: keyOf(job), salt: job.salt }))
  try {
    return lanes(keyed, cost)
  } finally {
    for (const { key } of keyed) key.words.fill(0)
  }
}

/** bcryptjs knows neither `$2$` nor `$2x$`, and takes text only. */
function withoutLanes(job: BcryptJob): Buffer {
  const text = textOfUtf8(job.password)
  if (text === null || !BCRYPTJS_REVISIONS.includes(job.revision))
    return eksBlowfish(keyOf(job), job.salt, job.cost)
  const setting = `$2b$${String(job.cost).padStart(2, '0')}$${bcrypt64OfBytes(job.salt)}`
  return bytesOfBcrypt64(hashSync(text, setting).slice(setting.length))
}

function keyOf({ revision, password }: BcryptJob): EksKey {
  const bytes = keyBytes(revision, password)
  try {
    if (revision === 'x') return signExtendedKey(bytes)
    return revision === 'a' ? guardedKey(bytes) : plainKey(bytes)
  } finally {
    bytes.fill(0)
  }
}

/**
 * The final NUL of the C string belongs to the key since `$2a$`. `$2$` repeats the password without it, and of the
 * empty password only the NUL is left.
 */
function keyBytes(revision: string, password: Uint8Array): Uint8Array {
  const counted = password.subarray(0, KEY_BYTES)
  const bytes = new Uint8Array(revision === '' && counted.length > 0 ? counted.length : counted.length + 1)
  bytes.set(counted)
  return bytes
}

/** From the tests of crypt_blowfish and libxcrypt: the guard of `$2a$`, the sign extension of `$2x$`, and plain text. */
const KNOWN = [
  known('a', 'ffffa3', '/OK.fbVrR/bpIqNJ5ianF.', 'nqd1wy.pTMdcvrRWxyiGL2eMz.2a85.'),
  known('x', 'ffa3333435', '/OK.fbVrR/bpIqNJ5ianF.', 'o./n25XVfn6oAPaUvHe.Csk4zRfsYPi'),
  known('b', '2a552a552a552a552a552a552a552a55', 'abcdefghijklmnopqrstuu', 'wd22F2Sxe6gq2OS.jcQfMBY2dJtwKyS'),
]

function known(revision: string, password: string, salt: string, digest: string) {
  const job = { revision, cost: 5, salt: bytesOfBcrypt64(salt), password: Buffer.from(password, 'hex') }
  return { job, digest: bytesOfBcrypt64(digest) }
}

/** Known answers with every number of lanes, and with another password in each lane in turn. */
function passesTest(lanes: EksLanes): boolean {
  try {
    for (let count = 1; count <= MOST_LANES; count += 1)
      for (let wrong = -1; wrong < count; wrong += 1) if (!answersRight(lanes, count, wrong)) return false
    return true
  } catch {
    return false
  }
}

function answersRight(lanes: EksLanes, count: number, wrong: number): boolean {
  const used = KNOWN.slice(0, count)
  const jobs = used.map(({ job }, lane) =>
    lane === wrong ? { ...job, password: Buffer.from('wrong') } : job,
  )
  const digests = onLanes(lanes, jobs)
  return used.every(
    ({ digest }, lane) => timingSafeEqual(digests[lane] ?? Buffer.alloc(0), digest) === (lane !== wrong),
  )
}
