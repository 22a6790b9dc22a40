import { performance } from 'node:perf_hooks'
import type { StoredHash } from '../domain.ts'
import { Failure } from '../errors.ts'
import type { HashContext } from '../hashes/context.ts'
import { NO_CONTEXT } from '../hashes/context.ts'
import type { ReadHash } from '../hashes/format.ts'
import { HashError } from '../hashes/format.ts'
import { readHash } from '../hashes/index.ts'
import { matchesInForms } from '../hashes/password-forms.ts'
import { argon2Loads } from './argon2-loads.ts'
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
  /** Another finding about the native module, for tests without it. */
  readonly argon2Loads?: () => Promise<boolean>
}

export function createChecker({
  threads,
  context = NO_CONTEXT,
  script,
  argon2Loads: probe = argon2Loads,
}: CheckerOptions): Checker {
  const estimates = createEstimates()
  const argon2Works = probe()
  const pool = createPool(threads, context, script)

  async function onThread(hash: ReadHash, stored: StoredHash, password: Uint8Array, deadline: number) {
    const { scheme, millis } = hash
    const estimate = estimates.of(scheme, millis)
    const wait = pool.wait()
    if (performance.now() + wait + estimate > deadline) {
      if (wait === 0) estimates.doubt(scheme)
      throw new Failure('overloaded')
    }
    const answer = await pool.run({ stored, password, deadline, estimate })
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
        if (hash.native === 'argon2' && !(await argon2Works))
          throw new Failure('unavailable', { detail: 'argon2-native' })
        return hash.millis < INLINE_MILLIS
          ? await inline(hash, own, deadline, context)
          : await onThread(hash, stored, own, deadline)
      } finally {
        own.fill(0)
      }
    },
    ready: async () => {
      await Promise.all([pool.ready(), argon2Works])
    },
    close: pool.close,
    queued: pool.queued,
    busy: pool.busy,
  }
}

async function inline(
  hash: ReadHash,
  password: Uint8Array,
  deadline: number,
  { forms }: HashContext,
): Promise<boolean> {
  if (performance.now() > deadline) throw new Failure('overloaded')
  try {
    return await matchesInForms(hash, password, forms)
  } catch (error) {
    throw asFailure(error)
  }
}
