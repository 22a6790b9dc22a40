import { performance } from 'node:perf_hooks'
import { Failure } from '../errors.ts'
import type { Cost, Estimates } from './estimates.ts'
import type { Finding } from './messages.ts'
import { createQuarantine } from './quarantine.ts'
import { createSeat, type Seat, type SeatEvents } from './seat.ts'
import type { StartThread } from './thread.ts'
import { createWaitingRoom } from './waiting.ts'
import type { Job, Work } from './work.ts'

/** A check may meet a crash that it has not caused; the second one is taken to be its own. */
const CRASHES_ALLOWED = 1

export interface Forecast {
  /** Milliseconds until it could begin. */
  readonly wait: number
  /** Milliseconds from then until it is done. */
  readonly work: number
}

/** Told what happens, for metrics and the log. */
export interface PoolEvents {
  /** Checks that ran in one call: milliseconds that were expected of it, and taken. */
  ran(cost: Cost, company: number, expected: number, taken: number): void
  /** Milliseconds that a check has waited for its thread. */
  waited(millis: number): void
  threadLost(reason: 'crashed' | 'overran'): void
  /** So many threads were lost over this work's hash that it is not checked for a while. */
  quarantined(work: Work): void
}

export interface PoolOptions {
  /** Threads for every kind of check. There is one more, which does brief ones alone. */
  readonly threads: number
  /** Bytes that running checks may hold together. */
  readonly memory: number
  readonly start: StartThread
  readonly estimates: Estimates
  readonly events: PoolEvents
}

/**
 * Threads with two queues: brief checks never wait behind dear ones, because one thread is kept for them; dear ones never
 * wait behind brief ones, because they have the first choice of all other threads. Checks of one kind that wait at the
 * same time share a call where their format can do that; a lone one never waits for company.
 */
export interface Pool {
  /**
   * Throws Failure `overloaded` when the deadline passes in the queue, `unavailable` when threads are lost over it, and at
   * once when they were before.
   */
  run(work: Work): Promise<Finding>
  /** For work that would come now. */
  forecast(work: Work): Forecast
  ready(): Promise<void>
  close(): Promise<void>
  queued(): number
  busy(): number
  /** Bytes that running checks hold. */
  memory(): number
}

export function createPool({ threads, memory, start, estimates, events }: PoolOptions): Pool {
  const waiting = createWaitingRoom(estimates)
  const quarantine = createQuarantine()
  let fastest = Number.POSITIVE_INFINITY
  let closed = false
  let announceUp = () => {}
  let announceDown = (_failure: Failure) => {}
  const up = new Promise<void>((resolve, reject) => {
    announceUp = resolve
    announceDown = reject
  })
  // Nobody has to ask whether the threads are up.
  up.catch(() => {})

  const seatEvents: SeatEvents = {
    ready: (slowness) => {
      // The fastest one: the others were held up by each other's start.
      fastest = Math.min(fastest, slowness)
      estimates.calibrate(fastest)
      if (seats.every((seat) => seat.isReady())) announceUp()
      dispatch()
    },
    answered: (jobs, findings, expected, millis) => {
      const [first] = jobs
      if (first && findings.some(({ kind }) => kind === 'verdict')) {
        estimates.learn(first.cost, jobs.length, millis)
        events.ran(first.cost, jobs.length, expected, millis)
      }
      jobs.forEach((job, place) => {
        const finding = findings[place]
        if (finding) job.resolve(finding)
        else job.reject(unavailable('thread-answer'))
      })
      dispatch()
    },
    lost: (jobs, reason, ready) => {
      if (ready) events.threadLost(reason)
      else announceDown(unavailable('thread-start'))
      const [alone, ...company] = jobs
      if (alone && company.length === 0 && quarantine.blame(alone.stored)) events.quarantined(alone)
      for (const job of jobs) {
        if (reason === 'overran') job.reject(unavailable('thread-overran'))
        else retry(job)
      }
    },
  }
  const general = Array.from({ length: threads }, () => createSeat(start, seatEvents))
  const forBrief = createSeat(start, seatEvents)
  const seats = [...general, forBrief]

  function retry(job: Job): void {
    job.crashes += 1
    if (job.crashes > CRASHES_ALLOWED || quarantine.holds(job.stored))
      job.reject(unavailable('thread-crashed'))
    else waiting.enter(job)
  }

  function dispatch(): void {
    for (const seat of seats) if (seat.isIdle()) occupy(seat)
  }

  /** Gives the seat the next jobs that can still be done in time, if there are any. */
  function occupy(seat: Seat): void {
    const kinds = seat === forBrief ? 'brief' : 'every'
    const idle = general.filter((one) => one.isIdle()).length
    for (;;) {
      const jobs = waiting.next(kinds, memory - held(), idle)
      if (jobs.length === 0) return
      const inTime = jobs.filter((job) => !quarantine.holds(job.stored) && isInTime(job, jobs.length))
      for (const job of jobs)
        if (quarantine.holds(job.stored)) job.reject(unavailable('quarantine'))
        else if (!inTime.includes(job)) job.reject(new Failure('overloaded', { detail: 'queue' }))
      const [first] = inTime
      if (!first) continue
      for (const { since } of inTime) events.waited(performance.now() - since)
      seat.begin(inTime, estimates.of(first.cost, inTime.length))
      return
    }
  }

  function isInTime({ deadline, cost, caller }: Job, company: number): boolean {
    return caller?.hasGone() !== true && performance.now() + estimates.of(cost, company) <= deadline
  }

  function held(): number {
    return seats.reduce((sum, seat) => sum + seat.jobs().reduce((bytes, job) => bytes + job.memory, 0), 0)
  }

  /** What a job that waits adds to the wait of the others: its share of a call that is full. */
  const shareOf = ({ cost, most }: Work) => estimates.of(cost, most) / most

  function forecast(work: Work): Forecast {
    const brief = waiting.isBrief(work)
    const ahead = waiting.aheadOf(work)
    if (ahead.length === 0 && (brief ? seats : general).some((seat) => seat.isIdle()))
      return { wait: 0, work: estimates.of(work.cost) }
    // Of the threads that do every kind none is sure to come free soon for a brief check.
    const sure = brief ? [forBrief] : general
    const running = sure.reduce((sum, seat) => sum + seat.remaining(), 0)
    const before = ahead.reduce((sum, job) => sum + shareOf(job), 0)
    const fitting = work.memory > 0 ? Math.max(1, Math.floor(memory / work.memory)) : sure.length
    return {
      wait: (running + before) / Math.min(sure.length, fitting),
      work: estimates.of(work.cost, work.most),
    }
  }

  return {
    run: (work) =>
      new Promise((resolve, reject) => {
        if (closed) throw unavailable('closing')
        if (quarantine.holds(work.stored)) throw unavailable('quarantine')
        waiting.enter({ ...work, resolve, reject, crashes: 0, since: performance.now() })
        dispatch()
      }),
    forecast,
    ready: () => up,
    close: async () => {
      closed = true
      announceDown(unavailable('closing'))
      for (const job of [...waiting.empty(), ...seats.flatMap((seat) => seat.jobs())])
        job.reject(unavailable('closing'))
      await Promise.all(seats.map((seat) => seat.close()))
    },
    queued: waiting.size,
    busy: () => seats.filter((seat) => seat.jobs().length > 0).length,
    memory: held,
  }
}

function unavailable(detail: string): Failure {
  return new Failure('unavailable', { detail })
}
