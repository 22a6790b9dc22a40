import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { Failure } from '../errors.ts'

/** What computes Argon2, the faster one first. Only `argon2` takes associated data. */
const PACKAGES = { 'node-rs': '@node-rs/argon2', argon2: 'argon2' } as const
export type Argon2Library = keyof typeof PACKAGES

/** Loading takes a tenth of a second; a cold disk may take several. */
const PATIENCE_MS = 20_000

/** A known answer from passlib's tests: Argon2id of "password", 256 KiB, 2 passes, 1 lane. */
const KNOWN_DIGEST = 'nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4='
const KNOWN: Argon2Parameters = {
  type: 'argon2id',
  version: 19,
  kibibytes: 256,
  passes: 2,
  lanes: 1,
  salt: Buffer.from('somesalt'),
  data: Buffer.alloc(0),
  length: 32,
}

/**
 * Checks the known answer and prints a digit for each library as soon as it is known, so that the one that ends the process
 * is the first without a digit.
 */
const PROBE = `
const { writeSync } = require('node:fs')
const password = Buffer.from('password')
const same = { memoryCost: 256, timeCost: 2, parallelism: 1, salt: Buffer.from('somesalt') }
const made = {
  'node-rs': ({ hashRawSync }) => hashRawSync(password, { ...same, algorithm: 2, version: 1, outputLen: 32 }),
  argon2: ({ hash }) => hash(password, { ...same, raw: true, type: 2, version: 19, hashLength: 32 }),
}
const works = async (library, path) => {
  try {
    const digest = await made[library](require(path))
    return digest.toString('base64') === '${KNOWN_DIGEST}'
  } catch {
    return false
  }
}
const probe = async () => {
  for (const [library, path] of JSON.parse(process.argv[1])) writeSync(1, await works(library, path) ? '1' : '0')
}
probe()
`

interface Installed {
  readonly library: Argon2Library
  /** Of the file that is loaded. */
  readonly path: string
}

/**
 * The libraries that load here and compute rightly, the fastest first. Found out in a child process, because a
 * binary made for another system ends the process that loads it instead of throwing. Where Node's permission model forbids
 * child processes, it is found out here: whoever confines the service has chosen its image and its libraries.
 */
export async function probeArgon2(
  installed: readonly Installed[] = installedLibraries(),
  childrenAllowed = process.permission?.has('child') !== false,
): Promise<readonly Argon2Library[]> {
  if (installed.length === 0) return []
  if (!childrenAllowed) return probeHere(installed)
  const { digits, ended } = await answersOfChild(installed)
  const working = installed.filter((_, index) => digits[index] === '1').map(({ library }) => library)
  return ended ? working : [...working, ...(await probeArgon2(installed.slice(digits.length + 1)))]
}

async function probeHere(installed: readonly Installed[]): Promise<readonly Argon2Library[]> {
  const working: Argon2Library[] = []
  for (const { library } of installed) {
    const digest = await digests[library](Buffer.from('password'), KNOWN).catch(() => undefined)
    if (digest?.toString('base64') === KNOWN_DIGEST) working.push(library)
  }
  return working
}

function installedLibraries(): readonly Installed[] {
  const { resolve } = createRequire(import.meta.url)
  return (Object.keys(PACKAGES) as Argon2Library[]).flatMap((library) => {
    try {
      return [{ library, path: resolve(PACKAGES[library]) }]
    } catch {
      return []
    }
  })
}

/** `ended`: it came to its end. */
function answersOfChild(installed: readonly Installed[]): Promise<{ digits: string; ended: boolean }> {
  return new Promise((resolve) => {
    const paths = JSON.stringify(installed.map(({ library, path }) => [library, path]))
    const options = { timeout: PATIENCE_MS, env: {}, encoding: 'utf8' } as const
    try {
      execFile(process.execPath, ['-e', PROBE, paths], options, (error, digits) =>
        resolve({ digits, ended: error === null }),
      )
    } catch {
      resolve({ digits: '', ended: false })
    }
  })
}

let known: Promise<readonly Argon2Library[]> | undefined

/** The libraries that this process or thread may load. The first call finds out, unless it has been told. */
export function argon2Libraries(): Promise<readonly Argon2Library[]> {
  known ??= probeArgon2()
  return known
}

/** Tells this process or thread what has been found out elsewhere. It loads no other library from then on. */
export function useArgon2Libraries(libraries: readonly Argon2Library[]): void {
  known = Promise.resolve(libraries)
}

export interface Argon2Parameters {
  readonly type: 'argon2d' | 'argon2i' | 'argon2id'
  readonly version: 16 | 19
  readonly kibibytes: number
  readonly passes: number
  readonly lanes: number
  readonly salt: Uint8Array
  /** Associated data. */
  readonly data: Uint8Array
  /** Bytes of the digest. */
  readonly length: number
}

const TYPES = { argon2d: 0, argon2i: 1, argon2id: 2 } as const

/**
 * The digest, by the fastest library that works here and knows every parameter. Throws Failure `unavailable` where
 * none does. Libraries are loaded by the first check, so that a process without Argon2 hashes never loads native code.
 */
export async function argon2Digest(password: Uint8Array, parameters: Argon2Parameters): Promise<Buffer> {
  const libraries = await argon2Libraries()
  const fit = libraries.find((library) => library === 'argon2' || parameters.data.length === 0)
  if (fit === undefined) throw new Failure('unavailable', { detail: 'argon2-native' })
  return digests[fit](password, parameters)
}

const digests: Readonly<
  Record<Argon2Library, (password: Uint8Array, parameters: Argon2Parameters) => Promise<Buffer>>
> = {
  'node-rs': async (password, { type, version, kibibytes, passes, lanes, salt, length }) => {
    const { hashRawSync } = await loaded(import('@node-rs/argon2'))
    // On this thread: the pool of Node has four threads for all of its kind, however many cores there are.
    return hashRawSync(password, {
      algorithm: TYPES[type],
      version: version === 16 ? 0 : 1,
      memoryCost: kibibytes,
      timeCost: passes,
      parallelism: lanes,
      outputLen: length,
      salt,
    })
  },
  argon2: async (password, { type, version, kibibytes, passes, lanes, salt, data, length }) => {
    const { hash } = await loaded(import('argon2'))
    return hash(Buffer.from(password.buffer, password.byteOffset, password.length), {
      raw: true,
      type: TYPES[type],
      version,
      memoryCost: kibibytes,
      timeCost: passes,
      parallelism: lanes,
      salt: Buffer.from(salt),
      associatedData: Buffer.from(data),
      hashLength: length,
    })
  },
}

async function loaded<Library>(library: Promise<Library>): Promise<Library> {
  try {
    return await library
  } catch {
    throw new Failure('unavailable', { detail: 'argon2-native' })
  }
}
