import { performance } from 'node:perf_hooks'
import type { Asker, StoredHash } from '../domain.ts'
import { Failure } from '../errors.ts'
import type { Argon2Library } from '../hashes/argon2-library.ts'
import { argon2Libraries } from '../hashes/argon2-library.ts'
import type { HashContext } from '../hashes/context.ts'
import { NO_CONTEXT } from '../hashes/context.ts'
import type { ReadHash } from '../hashes/format.ts'
import { HashError } from '../hashes/format.ts'
import { readHash } from '../hashes/index.ts'
import { matchesInForms } from '../hashes/password-forms.ts'
import { createEstimates } from './estimates.ts'
import { asFailure } from './failure.ts'
import { createPool } from './pool.ts'
import { ownMemory } from './seat.ts'
import { threadStarter } from './thread.ts'
import type { Work } from './work.ts'

/** A check that takes less would cost more to hand over than to do. */
const INLINE_MILLIS = 1
/** What formats say they take is for passwords of ordinary length; phpass of 4 KiB takes sixty times as long. */
const INLINE_BYTES = 64
/** Bytes that running checks may hold together, where the context does not say. */
const DEFAULT_MEMORY = 512 * 2 ** 20

export interface Checker {
  /**
   * Whether this is the password of this hash. Throws HashError when the hash cannot be used, before any work;
   * Failure `overloaded` as soon as the answer would come after `deadline`, a moment of `performance.now()`;
   * Failure `unavailable` when it could not be found out.
   */
  check(stored: StoredHash, password: Uint8Array, deadline: number, asker?: Asker): Promise<boolean>
  /** Milliseconds that such a check takes here, with all the company that it can have. Throws HashError. */
  expected(stored: StoredHash): number
  /** Resolves when every thread is up; throws Failure `unavailable` when one does not come up. */
  ready(): Promise<void>
  /** Ends the threads. Whatever has not been answered by then is Failure `unavailable`. */
  close(): Promise<void>
  queued(): number
  busy(): number
  /** Bytes that running checks hold outside of JavaScript. */
  memory(): number
}

/** Told what happens, for metrics and the log. Milliseconds. */
export interface CheckerEvents {
  ran?(scheme: string, predicted: number, taken: number, company: number): void
  waited?(millis: number): void
  /** Refused, because it could not be done in time. */
  shed?(scheme: string): void
  threadLost?(reason: 'crashed' | 'overran'): void
  /** The hash is not checked for a while, because threads were lost over it. */
  quarantined?(userId: string, scheme: string): void
}

export interface CheckerOptions {
  /** How many checks may run at once: the number of cores that hash work may take. */
  readonly threads: number
  /** The operator's recipes and secrets, for the threads as for this one. */
  readonly context?: HashContext
  readonly events?: CheckerEvents
  /** Another script for the threads, for tests of crashes. */
  readonly script?: URL
  /** Another finding about the libraries of Argon2, for tests without them. */
  readonly argon2Libraries?: () => Promise<readonly Argon2Library[]>
}

export function createChecker({
  threads,
  context = NO_CONTEXT,
  events = {},
  script,
  argon2Libraries: probe = argon2Libraries,
}: CheckerOptions): Checker {
  const estimates = createEstimates()
  const argon2 = probe()
  const pool = createPool({
    threads,
    memory: context.memory ?? DEFAULT_MEMORY,
    estimates,
    start: threadStarter(context, script),
    events: {
      ran: ({ scheme }, company, predicted, taken) => events.ran?.(scheme, predicted, taken, company),
      waited: (millis) => events.waited?.(millis),
      threadLost: (reason) => events.threadLost?.(reason),
      quarantined: ({ stored, cost }) => events.quarantined?.(stored.id, cost.scheme),
    },
  })

  async function onThread(work: Work): Promise<boolean> {
    const { wait, work: own } = pool.forecast(work)
    if (performance.now() + wait + own > work.deadline) {
      if (wait === 0) estimates.doubt(work.cost)
      throw new Failure('overloaded', { detail: 'forecast' })
    }
    const finding = await pool.run(work)
    switch (finding.kind) {
      case 'verdict':
        return finding.matches
      case 'unusable':
        throw new HashError(finding.defect, 'the thread could not read the hash')
      case 'failure':
        throw new Failure(finding.code, { detail: finding.detail })
    }
  }

  async function run(hash: ReadHash, work: Work): Promise<boolean> {
    try {
      const isShort = hash.millis < INLINE_MILLIS && work.password.length <= INLINE_BYTES
      return isShort ? await inline(hash, work, context) : await onThread(work)
    } catch (error) {
      if (error instanceof Failure && error.code === 'overloaded') events.shed?.(hash.scheme)
      throw error
    }
  }

  return {
    check: async (stored, password, deadline, { subject = '', caller } = {}) => {
      const hash = readHash(stored, context)
      const own = ownMemory(password)
      try {
        // No other check waits for the finding.
        const libraries = hash.native === 'argon2' ? await argon2 : []
        if (hash.native === 'argon2' && libraries.length === 0)
          throw new Failure('unavailable', { detail: 'argon2-native' })
        return await run(hash, {
          stored,
          password: own,
          deadline,
          subject,
          caller,
          argon2: libraries,
          ...demandOf(hash),
        })
      } finally {
        own.fill(0)
      }
    },
    expected: (stored) => {
      const { cost, most } = demandOf(readHash(stored, context))
      return estimates.of(cost, most)
    },
    ready: async () => {
      await Promise.all([pool.ready(), argon2])
    },
    close: pool.close,
    queued: pool.queued,
    busy: pool.busy,
    memory: pool.memory,
  }
}

function demandOf({ scheme, millis, memory = 0, lane }: ReadHash): Pick<Work, 'cost' | 'most' | 'memory'> {
  return { cost: { kind: lane?.kind ?? scheme, scheme, millis }, most: lane?.most ?? 1, memory }
}

async function inline(
  hash: ReadHash,
  { password, deadline }: Work,
  { forms }: HashContext,
): Promise<boolean> {
  if (performance.now() > deadline) throw new Failure('overloaded')
  try {
    return await matchesInForms(hash, password, forms)
  } catch (error) {
    throw asFailure(error)
  }
}
