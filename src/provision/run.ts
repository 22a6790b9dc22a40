import { setMaxListeners } from 'node:events'
import type { Claimed, Ended, PlanNow, Released, RunStore } from '../db/plan-items.ts'
import { Failure } from '../errors.ts'
import type { Call } from '../outbound/call.ts'
import {
  type Candidate,
  type Context,
  ExpiredError,
  type Result,
  RunHalt,
  type Target,
} from '../targets/target.ts'
import { createAuthorization } from './authorized.ts'
import { bringInHalves } from './batch.ts'
import { backoff, createBell } from './bell.ts'
import type { Readied } from './order.ts'
import { createPacer, Interrupted } from './pace.ts'
import { codeOf, withoutValues } from './redact.ts'

export interface RunDeps {
  readonly target: Target
  /** Users in a request. */
  readonly batch: number
  readonly store: RunStore
  /** Whether this process may call the target now: see `openPresence`. */
  readonly hold: () => Promise<boolean>
  /** Throws when the user cannot be made ready for a reason that is not the user's. */
  readonly ready: (item: Claimed) => Readied
  /** The network, bounded to the target's hosts. */
  readonly call: Call
  readonly append: Context['append']
  /** Percent of the target's limit that may be used. */
  readonly share: number
  /** Aborted to finish what is in flight and leave. */
  readonly stop: AbortSignal
  readonly progress?: (now: PlanNow, waitingMs: number) => void
  readonly times?: Partial<RunTimes>
  readonly random?: () => number
}

/** Milliseconds. */
export interface RunTimes {
  /** How often the plan is looked at: so late does a pause take effect, at most. */
  readonly look: number
  /** How long an item stays with a process that has died. The same as the store's. */
  readonly lease: number
  /** How long calls in flight have at the end. */
  readonly grace: number
  /** Before the second try of a user; twice as long before each further one, up to the last. */
  readonly firstRetry: number
  readonly lastRetry: number
}

const USUAL: RunTimes = {
  look: 1_000,
  lease: 30_000,
  grace: 10_000,
  firstRetry: 2_000,
  lastRetry: 300_000,
}

/** Of one user. With the usual times the eighth is some four minutes after the first. */
const MOST_TRIES = 8

/** In a row, without one success among them: the target is gone, and so would be the tries of every user. */
const MOST_FAILURES = 10

/** So many failures in a row may be chance; after more of them the process waits longer and longer. */
const PATIENT_FAILURES = 3

/** Items that are claimed at once, at least and at most: few, because a process that dies delays them all. */
const LEAST_CLAIMED = 20
const MOST_CLAIMED = 4_000

/** How long a database may be away before the process gives up. What is not recorded is tried again by others. */
const DATABASE_PATIENCE_MS = 60_000

export interface RunEnd {
  readonly kind: 'done' | 'paused' | 'stopped' | 'interrupted'
  readonly now: PlanNow
  /** What the target said when it could not be used. */
  readonly halt: RunHalt | null
}

type Ordered = Extract<Readied, { kind: 'order' }>

interface Held {
  readonly item: Claimed
  /** By our clock, when somebody else may take the item. */
  until: number
  stage: 'waiting' | 'begun' | 'told'
}

/**
 * Works off a plan together with whoever else does, until it ends, is stopped, or cannot go on. May be killed at any moment:
 * what was claimed is claimed again by somebody else, later, and looked for at the target first. Throws when the database is
 * gone for longer than a minute, or when something is wrong with us; leases end by themselves then.
 */
export async function runPlan(deps: RunDeps): Promise<RunEnd> {
  const { target, store, stop, random = Math.random } = deps
  const times = { ...USUAL, ...deps.times }
  const clock = () => performance.now()
  const pacer = createPacer({
    share: deps.share,
    inFlight: target.inFlight,
    limitOf: target.limitOf,
    now: clock,
    today: Date.now,
    random,
  })
  const authorized = createAuthorization(target, clock)
  const bell = createBell()
  const over = new AbortController()
  const held = new Map<number, Held>()
  const recordings = new Set<Promise<void>>()
  const queue: Ordered[] = []
  let spell = newSpell()
  let may = false
  let now = await store.now()
  let flying = 0
  let claiming = false
  let claimAgainAt = 0
  const failing = { inRow: 0, at: 0, restUntil: 0 }
  let halt: RunHalt | null = null
  let broken: { readonly error: unknown } | undefined

  const fail = (error: unknown) => {
    broken ??= { error }
    spell.abort()
    bell.ring()
  }

  /** A database that comes back within a minute has not been away. */
  const patiently = async <Answer>(ask: () => Promise<Answer>): Promise<Answer> => {
    const since = clock()
    for (let tried = 0; ; tried++) {
      try {
        return await ask()
      } catch (error) {
        const goesOn = error instanceof Failure && clock() - since < DATABASE_PATIENCE_MS && !stop.aborted
        if (!goesOn) throw error
        await bell.wait(backoff(tried, 250, 5_000, random), stop)
      }
    }
  }

  const look = async () => {
    now = await patiently(store.now)
    // Each process takes its part of the speed; how many there are is looked at every time.
    pacer.speed(now.speed === null ? null : now.speed / Math.max(1, now.processes))
    may = now.state === 'running' && (await deps.hold())
    if (!may) spell.abort()
    else if (spell.signal.aborted && !stop.aborted && broken === undefined) spell = newSpell()
    deps.progress?.(now, pacer.waiting())
    bell.ring()
  }

  const regularly = async (every: number, chore: () => Promise<void>) => {
    const alarm = createBell()
    while (!over.signal.aborted) {
      await alarm.wait(every, over.signal)
      if (!over.signal.aborted) await chore().catch(fail)
    }
  }

  const renew = async () => {
    const places = [...held.keys()]
    const since = clock()
    const ours = await patiently(() => store.renew(places))
    for (const place of places) {
      const one = held.get(place)
      if (one === undefined) continue
      if (ours.has(place)) one.until = since + times.lease
      // What has begun may still be recorded, if nobody else has taken it.
      else if (one.stage === 'waiting') held.delete(place)
    }
  }

  const giveBack = async (items: readonly Released[]) => {
    for (const { place } of items) held.delete(place)
    await patiently(() => store.release(items))
  }

  const record = (ended: Ended) => {
    const one = held.get(ended.place)
    if (one !== undefined) one.stage = 'told'
    const recording = patiently(() => store.record(ended))
      .then(() => void held.delete(ended.place), fail)
      .finally(() => {
        recordings.delete(recording)
        bell.ring()
      })
    recordings.add(recording)
  }

  const claim = async () => {
    const most = Math.min(MOST_CLAIMED, Math.max(LEAST_CLAIMED, 2 * target.inFlight * deps.batch))
    const since = clock()
    const items = await patiently(() => store.claim(most))
    if (items.length < most) claimAgainAt = clock() + times.look
    for (const item of items) {
      // A lease of our own that had run out unnoticed: the user is being brought already.
      if (held.has(item.place)) continue
      held.set(item.place, { item, until: since + times.lease, stage: 'waiting' })
      const readied = deps.ready(item)
      if (readied.kind === 'order') queue.push(readied)
      else record(endedWithout(readied))
    }
  }

  const beginClaim = () => {
    claiming = true
    claim()
      .catch(fail)
      .finally(() => {
        claiming = false
        bell.ring()
      })
  }

  /** Orders of one action whose leases hold. */
  const nextBatch = (): Ordered[] => {
    const batch: Ordered[] = []
    while (batch.length < deps.batch) {
      const [next] = queue
      if (next === undefined || (batch[0] !== undefined && batch[0].order.action !== next.order.action)) break
      queue.shift()
      const one = held.get(next.item.place)
      if (one === undefined) continue
      if (one.until <= clock()) held.delete(next.item.place)
      else {
        one.stage = 'begun'
        batch.push(next)
      }
    }
    return batch
  }

  /** `heard` is told before the target can have heard of anything. */
  const contextOf = (signal: AbortSignal, heard: () => void): Context => ({
    call: authorized(
      pacer.paced((request) => {
        heard()
        return deps.call(request)
      }, signal),
    ),
    wait: async (ms) => {
      await createBell().wait(ms, signal)
      if (signal.aborted) throw new Interrupted()
    },
    append: (lines) => {
      heard()
      return deps.append(lines)
    },
  })

  const bring = async (batch: readonly Ordered[]) => {
    const { signal } = spell
    const began = clock()
    const again: Released[] = []
    const told = new Set<number>()
    let answered = false
    let tried = false
    const tell = (one: Ordered, result: Result) => {
      told.add(one.item.place)
      if (result.kind !== 'postponed') answered = true
      if (result.kind === 'postponed' && (signal.aborted || one.item.attempts < MOST_TRIES)) {
        const wait = backoff(one.item.attempts - 1, times.firstRetry, times.lastRetry, random)
        again.push({ place: one.item.place, forMs: signal.aborted ? 0 : wait, untried: false })
      } else record(endedWith(one, result, usersOf(batch)))
    }
    try {
      const context = contextOf(signal, () => {
        tried = true
      })
      await bringInHalves(batch, (orders) => target.bring(orders, context), tell)
      countFailures(answered, began)
    } catch (error) {
      const halting = haltOf(error)
      if (halting !== null) {
        halt = new RunHalt(halting.reason, codeOf(halting.targetCode, usersOf(batch)))
        await patiently(() => store.pause(halting.reason))
        await look()
      } else if (!(error instanceof Interrupted)) throw error
    } finally {
      const untold = batch
        .filter(({ item }) => !told.has(item.place))
        .map(({ item }) => ({ place: item.place, forMs: 0, untried: !tried }))
      await giveBack([...again, ...untold])
    }
  }

  /** Calls that fail together are one failure: only one that began after the last one counts. */
  const countFailures = (answered: boolean, began: number) => {
    if (answered) {
      failing.inRow = 0
      failing.restUntil = 0
      return
    }
    if (began < failing.at) return
    failing.inRow += 1
    failing.at = clock()
    if (failing.inRow >= PATIENT_FAILURES)
      failing.restUntil =
        failing.at +
        backoff(failing.inRow - PATIENT_FAILURES, times.firstRetry / 2, times.lastRetry / 10, random)
    if (failing.inRow >= MOST_FAILURES)
      void patiently(() => store.pause(UNAVAILABLE))
        .then(look)
        .catch(fail)
  }

  const beginBring = (batch: readonly Ordered[]) => {
    flying += 1
    bring(batch)
      .catch(fail)
      .finally(() => {
        flying -= 1
        bell.ring()
      })
  }

  const work = () => {
    const moment = clock()
    const low = target.inFlight * deps.batch
    if (!claiming && queue.length < low && moment >= claimAgainAt) beginClaim()
    while (flying < target.inFlight && moment >= failing.restUntil) {
      const batch = nextBatch()
      if (batch.length === 0) break
      beginBring(batch)
    }
  }

  const giveBackQueue = () =>
    giveBack(queue.splice(0).map(({ item }) => ({ place: item.place, forMs: 0, untried: true })))

  const isIdle = () => flying === 0 && !claiming && queue.length === 0 && recordings.size === 0

  /** Until nothing is in flight, or until the grace is over. */
  const settle = async () => {
    const until = clock() + times.grace
    while ((flying > 0 || claiming || recordings.size > 0) && clock() < until)
      await bell.wait(Math.min(times.look, until - clock()))
  }

  const chores = [regularly(times.look, look), regularly(times.lease / 3, renew)]
  const onStop = () => {
    spell.abort()
    bell.ring()
  }
  stop.addEventListener('abort', onStop, { once: true })
  try {
    await look()
    while (!stop.aborted && broken === undefined && endOf(now) === null) {
      if (may && !spell.signal.aborted) {
        work()
        if (isIdle()) {
          await patiently(store.finish)
          await look()
          if (endOf(now) !== null) break
        }
      } else if (queue.length > 0) await giveBackQueue()
      await bell.wait(times.look, stop)
    }
  } finally {
    spell.abort()
    await settle()
    stop.removeEventListener('abort', onStop)
    over.abort()
    await Promise.all(chores)
    await giveBackQueue().catch(() => {
      // They are free when their leases end.
    })
  }
  if (broken !== undefined) throw broken.error
  return { kind: endOf(now) ?? 'interrupted', now: await store.now().catch(() => now), halt }
}

/** A token that ended was fetched anew before the target could say so; one that is not taken even then is none. */
function haltOf(error: unknown): RunHalt | null {
  if (error instanceof RunHalt) return error
  return error instanceof ExpiredError ? new RunHalt('unauthorized', '401') : null
}

/** A stretch of time in which this process may call. Every call that waits for its turn listens to its end. */
function newSpell(): AbortController {
  const spell = new AbortController()
  setMaxListeners(0, spell.signal)
  return spell
}

/** The word for a target that answers nobody. */
export const UNAVAILABLE = 'target-unavailable'

/** null: the run goes on. One that people have paused goes on when they resume it; others need to be looked at first. */
function endOf({ state, pausedFor }: PlanNow): 'done' | 'paused' | 'stopped' | null {
  switch (state) {
    case 'done':
    case 'stopped':
      return state
    case 'paused':
      return pausedFor === null ? null : 'paused'
    case 'ready':
    case 'running':
      return null
  }
}

const nothingSaid = { targetCode: null, targetText: null, targetId: null, brings: null } as const

function endedWithout({ item, state, reason }: Extract<Readied, { kind: 'ended' }>): Ended {
  return { place: item.place, state, reason, ...nothingSaid }
}

function usersOf(batch: readonly Ordered[]): readonly Candidate[] {
  return batch.map(({ order }) => order.user)
}

function endedWith({ item, brings }: Ordered, result: Result, users: readonly Candidate[]): Ended {
  const { place } = item
  switch (result.kind) {
    case 'created':
    case 'updated':
    case 'unchanged':
    case 'removed':
      return {
        place,
        state: result.kind,
        // Who is there is not failed, whatever else did not come about.
        reason: result.warnings?.[0] ?? null,
        ...nothingSaid,
        targetId: result.targetId,
        brings,
      }
    case 'postponed':
      return { place, state: 'postponed', reason: result.reason, ...nothingSaid }
    case 'refused':
      return {
        place,
        state: 'refused',
        reason: result.reason,
        ...nothingSaid,
        // The words of one user's refusal may name another one of the batch.
        targetCode: codeOf(result.targetCode, users),
        targetText: withoutValues(result.targetText, users),
      }
  }
}
