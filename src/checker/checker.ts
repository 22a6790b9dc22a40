import { performance } from 'node:perf_hooks'
import type { StoredHash } from '../domain.ts'
import { Failure } from '../errors.ts'
import type { Argon2Library } from '../hashes/argon2-library.ts'
import { argon2Libraries } from '../hashes/argon2-library.ts'
import type { HashContext } from '../hashes/context.ts'
import { NO_CONTEXT } from '../hashes/context.ts'
import type { ReadHash } from '../hashes/format.ts'
import { HashError } from '../hashes/format.ts'
import { readHash } from '../hashes/index.ts'
import { createEstimates } from './estimates.ts'
import { asFailure } from './failure.ts'
import { createPool, ownMemory } from './pool.ts'

/** A check that takes less would cost more to hand over than to do. */
const INLINE_MILLIS = 1

export interface Checker {
  /**
   * Whether this is the password of this hash. Throws HashError when the hash cannot be used, before any work;
   * Failure `overloaded` as soon as the answer would come after `deadline`, a moment of `performance.now()`;
   * Failure `unavailable` when it could not be found out.
   */
  check(stored: StoredHash, password: Uint8Array, deadline: number): Promise<boolean>
  /** Resolves when every thread is up; throws Failure `unavailable` when one does not come up. */
  ready(): Promise<void>
  /** Ends the threads. Whatever has not been answered by then is Failure `unavailable`. */
  close(): Promise<void>
  queued(): number
  busy(): number
}

export interface CheckerOptions {
  /** How many checks may run at once: the number of cores that hash work may take. */
  readonly threads: number
  /** The operator's recipes and secrets, for the threads as for this one. */
  readonly context?: HashContext
  /** Another script for the threads, for tests of crashes. */
  readonly script?: URL
  /** Another finding about the libraries of Argon2, for tests without them. */
  readonly argon2Libraries?: () => Promise<readonly Argon2Library[]>
}

export function createChecker({
  threads,
  context = NO_CONTEXT,
  script,
  argon2Libraries: probe = argon2Libraries,
}: CheckerOptions): Checker {
  const estimates = createEstimates()
  const argon2 = probe()
  const pool = createPool(threads, context, script)

  async function onThread(
    hash: ReadHash,
    stored: StoredHash,
    password: Uint8Array,
    deadline: number,
    libraries: readonly Argon2Library[],
  ) {
    const { scheme, millis } = hash
    const estimate = estimates.of(scheme, millis)
    const wait = pool.wait()
    if (performance.now() + wait + estimate > deadline) {
      if (wait === 0) estimates.doubt(scheme)
      throw new Failure('overloaded')
    }
    const answer = await pool.run({ stored, password, deadline, estimate, argon2: libraries })
    switch (answer.kind) {
      case 'verdict':
        estimates.learn(scheme, millis, answer.millis)
        return answer.matches
      case 'unusable':
        throw new HashError(answer.defect, 'the thread could not read the hash')
      case 'failure':
        throw new Failure(answer.code, { detail: answer.detail })
    }
  }

  return {
    check: async (stored, password, deadline) => {
      const hash = readHash(stored, context)
      const own = ownMemory(password)
      try {
        // No other check waits for the finding.
        const libraries = hash.native === 'argon2' ? await argon2 : []
        if (hash.native === 'argon2' && libraries.length === 0)
          throw new Failure('unavailable', { detail: 'argon2-native' })
        return hash.millis < INLINE_MILLIS
          ? await inline(hash, own, deadline)
          : await onThread(hash, stored, own, deadline, libraries)
      } finally {
        own.fill(0)
      }
    },
    ready: async () => {
      await Promise.all([pool.ready(), argon2])
    },
    close: pool.close,
    queued: pool.queued,
    busy: pool.busy,
  }
}

async function inline(hash: ReadHash, password: Uint8Array, deadline: number): Promise<boolean> {
  if (performance.now() > deadline) throw new Failure('overloaded')
  try {
    return await hash.matches(password)
  } catch (error) {
    throw asFailure(error)
  }
}
