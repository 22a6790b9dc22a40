import type { Call, OutboundAnswer, OutboundRequest } from '../outbound/call.ts'
import type { LimitNotice } from '../targets/target.ts'
import { backoff, createBell } from './bell.ts'

export interface PaceOptions {
  /** Percent of the target's limit that this run may use; the rest is left to live sign-ins. */
  readonly share: number
  /** Calls at the same time. */
  readonly inFlight: number
  readonly limitOf: (answer: OutboundAnswer) => LimitNotice | null
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number
  /** Milliseconds since 1970, for targets that do not say what time it is there. */
  readonly today: () => number
  readonly random: () => number
}

export interface Pacer {
  /** The same call, which waits for its turn and, while the target says "too many", is asked again. Throws Interrupted. */
  paced(call: Call, signal: AbortSignal): Call
  /** Calls a minute at most of this process; null: what the target allows. */
  speed(callsAMinute: number | null): void
  /** Milliseconds until the next call may begin, for people who watch; 0: now. */
  waiting(): number
}

/** The run was told to stop while a call waited for its turn. */
export class Interrupted extends Error {}

/** What is known of a limit within a window of time. */
interface Window {
  readonly limit: number
  /** Calls that may still begin, as far as is known: those in flight are taken off already. */
  left: number
  /** When it begins anew, by our clock. */
  resetsAt: number
  /** The same by the target's, which tells one window from the next. */
  readonly targetReset: number | null
}

/** Milliseconds. The target's moments are whole seconds. */
const AFTER_RESET_MS = 1_000

/** Milliseconds. No target's window is longer, and a wrong header must not keep a run waiting for a year. */
const LONGEST_WAIT_MS = 15 * 60_000

/** Milliseconds until a window is taken to begin anew where the target does not say. */
const USUAL_WINDOW_MS = 60_000

/** Milliseconds for which fewer calls are made at a time after the target has complained of too many at once. */
const FEWER_FOR_MS = 30_000

/** Milliseconds. How often a waiting call looks whether the speed has been changed. */
const LOOK_AGAIN_MS = 1_000

/**
 * Keeps the calls of one process within the target's limits. Every answer says what is left; a call begins only while that,
 * without the calls in flight, is above the share that is not ours. Targets count some calls apart from others without
 * saying so: limits are kept by method and by the length of the path, and are one where limit and end of the window are the
 * same. Answers correct what was believed, so a limit is never exceeded by more than the calls in flight. Of a kind of which
 * nothing is known one call goes first: processes that begin while nothing is left exceed the limit by one call each.
 */
export function createPacer({ share, inFlight, limitOf, now, today, random }: PaceOptions): Pacer {
  const windows = new Map<string, Window>()
  /** Kinds of calls of which the first is under way, or has come back. */
  const first = new Map<string, 'under-way' | 'back'>()
  const bell = createBell()
  let flying = 0
  let lanes = inFlight
  let fewerUntil = 0
  let closedUntil = 0
  /** Milliseconds between two calls, and when the next one may begin. */
  let spacing = 0
  let nextAt = 0

  const reserveOf = (limit: number) =>
    Math.max(0, Math.min(limit - 1, Math.ceil((limit * (100 - share)) / 100)))

  /** Milliseconds until a call of this kind may begin; 0: now. */
  const delayOf = (key: string): number => {
    const moment = now()
    if (closedUntil > moment) return closedUntil - moment
    if (moment >= fewerUntil) lanes = inFlight
    if (flying >= lanes) return LOOK_AGAIN_MS
    if (nextAt > moment) return nextAt - moment
    if (first.get(key) === 'under-way') return LOOK_AGAIN_MS
    const window = windows.get(key)
    if (window === undefined) return 0
    if (moment >= window.resetsAt) {
      window.left = window.limit - flying
      window.resetsAt = moment + USUAL_WINDOW_MS
    }
    return window.left > reserveOf(window.limit) ? 0 : window.resetsAt - moment
  }

  const turn = async (key: string, signal: AbortSignal) => {
    for (;;) {
      if (signal.aborted) throw new Interrupted()
      const ms = delayOf(key)
      if (ms <= 0) break
      await bell.wait(Math.min(ms, LOOK_AGAIN_MS), signal)
    }
    flying += 1
    if (!first.has(key)) first.set(key, 'under-way')
    nextAt = Math.max(nextAt, now()) + spacing
    const window = windows.get(key)
    if (window !== undefined) window.left -= 1
  }

  const landing = async (key: string, flight: Promise<OutboundAnswer>) => {
    try {
      return await flight
    } catch (error) {
      bell.ring()
      throw error
    } finally {
      flying -= 1
      first.set(key, 'back')
    }
  }

  const heard = (key: string, notice: LimitNotice) => {
    const moment = now()
    if (notice.waitMs !== undefined)
      closedUntil = Math.max(closedUntil, moment + clamp(notice.waitMs, LONGEST_WAIT_MS))
    const { limit, remaining, resetAt = null } = notice
    if (limit === undefined || remaining === undefined || limit <= 0) return
    const resetsAt =
      resetAt === null
        ? moment + USUAL_WINDOW_MS
        : moment + clamp(resetAt - (notice.now ?? today()) + AFTER_RESET_MS, LONGEST_WAIT_MS)
    const left = remaining - flying
    const known = windows.get(key)
    if (resetAt !== null && known !== undefined && known.targetReset !== null) {
      // The answer of a call that was overtaken by the new window.
      if (resetAt < known.targetReset) return
    }
    const same = resetAt === null ? undefined : [known, ...windows.values()].find(isWindow(limit, resetAt))
    if (same === undefined) {
      windows.set(key, { limit, left, resetsAt, targetReset: resetAt })
      return
    }
    same.left = Math.min(same.left, left)
    same.resetsAt = resetsAt
    windows.set(key, same)
  }

  /** After "too many": when that same call may be tried again. */
  const refused = (key: string, notice: LimitNotice | null, tried: number) => {
    const moment = now()
    // Without a window that is used up it was too much at the same time, or may have been.
    if (notice?.resetAt === undefined) {
      lanes = Math.max(1, Math.floor(Math.min(lanes, flying + 1) / 2))
      fewerUntil = moment + FEWER_FOR_MS
    }
    const window = windows.get(key)
    const { limit, resetAt } = notice ?? {}
    // Not of what else may be counted, as all calls of everybody together: that says nothing of the window that is known.
    if (window !== undefined && resetAt !== undefined && isWindow(limit, resetAt)(window)) {
      window.left = Math.min(window.left, 0)
      return
    }
    if (notice?.waitMs !== undefined) return
    closedUntil = Math.max(closedUntil, moment + backoff(tried, 1_000, USUAL_WINDOW_MS, random))
  }

  return {
    paced: (call, signal) => async (request) => {
      const key = keyOf(request)
      for (let tried = 0; ; tried++) {
        await turn(key, signal)
        const answer = await landing(key, call(request))
        const notice = limitOf(answer)
        if (notice !== null) heard(key, notice)
        if (answer.status === 429) refused(key, notice, tried)
        // Only now: who waits must know what the answer has said.
        bell.ring()
        if (answer.status !== 429) return answer
      }
    },
    speed: (callsAMinute) => {
      const wanted = callsAMinute === null ? 0 : 60_000 / callsAMinute
      if (wanted === spacing) return
      spacing = wanted
      nextAt = Math.min(nextAt, now() + spacing)
      bell.ring()
    },
    waiting: () => Math.max(0, closedUntil - now(), ...[...windows.keys()].map(delayOf)),
  }
}

const isWindow = (limit: number | undefined, targetReset: number) => (window: Window | undefined) =>
  window !== undefined && window.limit === limit && window.targetReset === targetReset

function clamp(ms: number, most: number): number {
  return Number.isFinite(ms) ? Math.min(most, Math.max(0, ms)) : most
}

/** What targets count together, as far as can be told: the method, and how long the path is. Its segments may be users' keys. */
function keyOf({ method, url }: OutboundRequest): string {
  return `${method} ${new URL(url).pathname.split('/').length}`
}
