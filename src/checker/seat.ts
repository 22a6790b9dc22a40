import { performance } from 'node:perf_hooks'
import type { StoredHash } from '../domain.ts'
import type { Finding } from './messages.ts'
import type { StartThread, Thread } from './thread.ts'
import type { Job } from './work.ts'

/** A thread that ends before it was ready is not started again at once, which would only keep a core busy. */
const RESTART_PAUSE_MS = 1_000
/** A thread that takes this much longer than expected hangs. */
const OVERRUN = { factor: 5, least: 2_000 }

export interface SeatEvents {
  ready(slowness: number): void
  answered(jobs: readonly Job[], findings: readonly Finding[], expected: number, millis: number): void
  /** `ready`: it had been. Another thread follows. */
  lost(jobs: readonly Job[], reason: 'crashed' | 'overran', ready: boolean): void
}

/** The place of one thread. Threads come and go, seats stay. */
export interface Seat {
  isReady(): boolean
  isIdle(): boolean
  jobs(): readonly Job[]
  /** Milliseconds that its call is expected to go on. */
  remaining(): number
  /** @param expected milliseconds */
  begin(jobs: readonly Job[], expected: number): void
  /** Ends the thread for good. Its jobs are left to the caller. */
  close(): Promise<void>
}

export function createSeat(start: StartThread, events: SeatEvents): Seat {
  let thread: Thread | undefined
  let ready = false
  let closed = false
  let jobs: readonly Job[] = []
  let started = 0
  let expected = 0
  let overrun: NodeJS.Timeout | undefined
  let pause: NodeJS.Timeout | undefined

  const free = (): readonly Job[] => {
    clearTimeout(overrun)
    const done = jobs
    jobs = []
    return done
  }

  const fill = () => {
    // What a thread says that has been given up belongs to nobody.
    const mine: Thread = start({
      ready: (slowness) => {
        ready = true
        events.ready(slowness)
      },
      answered: (findings, millis) => {
        if (thread === mine) events.answered(free(), findings, expected, millis)
      },
      ended: () => {
        // One that was asked to end is not lost.
        if (thread === mine && !closed) vacate('crashed')
      },
    })
    thread = mine
  }

  const vacate = (reason: 'crashed' | 'overran') => {
    const wasReady = ready
    const lost = free()
    thread = undefined
    ready = false
    if (wasReady) fill()
    else pause = setTimeout(fill, RESTART_PAUSE_MS)
    events.lost(lost, reason, wasReady)
  }

  fill()
  return {
    isReady: () => ready,
    isIdle: () => ready && jobs.length === 0,
    jobs: () => jobs,
    remaining: () => (jobs.length === 0 ? 0 : Math.max(0, started + expected - performance.now())),
    begin: (next, millis) => {
      const mine = thread
      jobs = next
      started = performance.now()
      expected = millis
      overrun = setTimeout(
        () => {
          vacate('overran')
          void mine?.stop()
        },
        Math.max(OVERRUN.least, OVERRUN.factor * millis),
      )
      mine?.ask({
        checks: next.map(({ stored, password }) => ({
          stored: plain(stored),
          password: ownMemory(password),
        })),
        argon2: next[0]?.argon2 ?? [],
      })
    },
    close: async () => {
      closed = true
      clearTimeout(pause)
      free()
      await thread?.stop()
    },
  }
}

/** Only the fields that a thread needs: a row may carry more, and what cannot be copied would throw. */
function plain({ encoded, scheme, salt, login, id, cohort }: StoredHash): StoredHash {
  return { encoded, scheme, salt, login, id, ...(cohort !== undefined && { cohort }) }
}

/** Memory that is shared with nothing, so that it can move to the thread and be cleared there. */
export function ownMemory(password: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = Buffer.allocUnsafeSlow(password.length)
  copy.set(password)
  return copy
}
