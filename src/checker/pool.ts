import { performance } from 'node:perf_hooks'
import type { Caller, StoredHash } from '../domain.ts'
import { Failure } from '../errors.ts'
import type { Argon2Library } from '../hashes/argon2-library.ts'
import type { Cost, Estimates } from './estimates.ts'
import type { Finding } from './messages.ts'
import { createQueue, type Queue } from './queue.ts'
import type { StartThread, Thread } from './thread.ts'

/** A check may meet a crash that it has not caused; the second one is taken to be its own. */
const CRASHES_ALLOWED = 1
/** A thread that ends before it was ready is not started again at once, which would only keep a core busy. */
const RESTART_PAUSE_MS = 1_000
/** The longest that a timer can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** A thread that takes this much longer than expected hangs. */
const OVERRUN = { factor: 5, least: 2_000 }
/** Milliseconds. What takes longer never has a thread that brief checks could need. */
const BRIEF_MS = 20

export interface Work {
  readonly stored: StoredHash
  /** Copied for every thread that gets it, and left to the caller to clear. */
  readonly password: Uint8Array
  readonly deadline: number
  readonly cost: Cost
  /** How many checks of its kind one call can do; 1: each has a call of its own. */
  readonly most: number
  /** Bytes outside of JavaScript while it runs. */
  readonly memory: number
  /** Whose check it is, so that many of one do not keep the others waiting. */
  readonly subject: string
  readonly caller: Caller | undefined
  /** As in Question. */
  readonly argon2: readonly Argon2Library[]
}

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
  /** Throws Failure `overloaded` when the deadline passes in the queue, `unavailable` when threads crash over it. */
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

interface Job extends Work {
  readonly resolve: (finding: Finding) => void
  readonly reject: (failure: Failure) => void
  readonly queue: Queue<Job>
  crashes: number
  since: number
  stopWaiting: () => void
}

/** The place of one thread. Threads come and go, seats stay. */
interface Seat {
  readonly brief: boolean
  thread: Thread | undefined
  ready: boolean
  jobs: readonly Job[]
  started: number
  expected: number
  overrun: NodeJS.Timeout | undefined
  pause: NodeJS.Timeout | undefined
}

export function createPool({ threads, memory, start, estimates, events }: PoolOptions): Pool {
  const seats = Array.from({ length: threads + 1 }, (_, place) => emptySeat(place === threads))
  const general = seats.filter(({ brief }) => !brief)
  const dear = createQueue<Job>()
  const brief = createQueue<Job>()
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
  seats.forEach(fill)

  function fill(seat: Seat): void {
    // What a thread says that has been given up belongs to nobody.
    const thread: Thread = start({
      ready: (slowness) => {
        seat.ready = true
        // The fastest one: the others were held up by each other's start.
        fastest = Math.min(fastest, slowness)
        estimates.calibrate(fastest)
        if (seats.every(({ ready }) => ready)) announceUp()
        dispatch()
      },
      answered: (findings, millis) => {
        if (seat.thread !== thread) return
        const { jobs, expected } = seat
        free(seat)
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
      ended: () => {
        if (seat.thread === thread) vacate(seat, 'crashed')
      },
    })
    seat.thread = thread
  }

  function free(seat: Seat): void {
    clearTimeout(seat.overrun)
    seat.jobs = []
  }

  /** The thread of a seat is gone: its jobs get another chance unless they hang, the seat another thread. */
  function vacate(seat: Seat, reason: 'crashed' | 'overran'): void {
    const { jobs, ready } = seat
    free(seat)
    Object.assign(seat, { thread: undefined, ready: false })
    for (const job of jobs) {
      if (reason === 'overran') job.reject(unavailable('thread-overran'))
      else retry(job)
    }
    if (closed) return
    if (ready) events.threadLost(reason)
    else announceDown(unavailable('thread-start'))
    if (ready) fill(seat)
    else seat.pause = setTimeout(() => fill(seat), RESTART_PAUSE_MS)
  }

  function retry(job: Job): void {
    job.crashes += 1
    if (closed || job.crashes > CRASHES_ALLOWED) {
      job.reject(unavailable(closed ? 'closing' : 'thread-crashed'))
    } else {
      wait(job)
    }
  }

  /** Nobody listens for the answer after the deadline, or once the caller has gone: the place in the queue is given up. */
  function wait(job: Job): void {
    const giveUp = (detail: string) => () => {
      if (leaveQueue(job)) job.reject(new Failure('overloaded', { detail }))
    }
    const gone = giveUp('caller-gone')
    const left = Math.min(LONGEST_TIMER_MS, Math.max(0, job.deadline - performance.now()))
    const timer = setTimeout(giveUp('queue'), left)
    const forget = job.caller?.onceGone(gone)
    job.stopWaiting = () => {
      clearTimeout(timer)
      forget?.()
    }
    job.queue.add(job)
  }

  function leaveQueue(job: Job): boolean {
    job.stopWaiting()
    return job.queue.remove(job)
  }

  function dispatch(): void {
    for (const seat of seats) {
      if (!isIdle(seat)) continue
      for (let jobs = takeNext(seat); jobs.length > 0; jobs = takeNext(seat)) {
        const inTime = jobs.filter((job) => isInTime(job, jobs.length))
        for (const job of jobs)
          if (!inTime.includes(job)) job.reject(new Failure('overloaded', { detail: 'queue' }))
        if (inTime.length === 0) continue
        hand(seat, inTime)
        break
      }
    }
  }

  function isInTime({ deadline, cost, caller }: Job, company: number): boolean {
    return caller?.hasGone() !== true && performance.now() + estimates.of(cost, company) <= deadline
  }

  /** The jobs of the next call, taken from their queue. */
  function takeNext(seat: Seat): readonly Job[] {
    for (const queue of seat.brief ? [brief] : [dear, brief]) {
      const first = nextAffordable(queue.items())
      if (!first) continue
      const jobs = first.most === 1 || first.crashes > 0 ? [first] : companyOf(first, queue.items())
      for (const job of jobs) leaveQueue(job)
      return jobs
    }
    return []
  }

  /** Those that need memory keep their order, or small ones would keep a large one waiting for ever. */
  function nextAffordable(items: readonly Job[]): Job | undefined {
    const free = memory - held()
    const firstBlocked = items.findIndex((job) => job.memory > free)
    const isBehind = (place: number) => firstBlocked !== -1 && place >= firstBlocked
    return items.find((job, place) => job.memory === 0 || !isBehind(place))
  }

  /** Shared out over the seats that are idle at the same time. */
  function companyOf(first: Job, items: readonly Job[]): readonly Job[] {
    const same = items.filter(({ cost, crashes }) => cost.kind === first.cost.kind && crashes === 0)
    const idle = general.filter(isIdle).length
    return same.slice(0, Math.min(first.most, Math.ceil(same.length / Math.max(1, idle))))
  }

  function hand(seat: Seat, jobs: readonly Job[]): void {
    const { thread } = seat
    const [first] = jobs
    if (!thread || !first) return
    const now = performance.now()
    seat.jobs = jobs
    seat.started = now
    seat.expected = estimates.of(first.cost, jobs.length)
    seat.overrun = setTimeout(
      () => {
        vacate(seat, 'overran')
        void thread.stop()
      },
      Math.max(OVERRUN.least, OVERRUN.factor * seat.expected),
    )
    for (const { since } of jobs) events.waited(now - since)
    thread.ask({
      checks: jobs.map(({ stored, password }) => ({ stored: plain(stored), password: ownMemory(password) })),
      argon2: first.argon2,
    })
  }

  function held(): number {
    return seats.reduce((sum, { jobs }) => sum + jobs.reduce((bytes, job) => bytes + job.memory, 0), 0)
  }

  const queueFor = (cost: Cost) => (estimates.of(cost) <= BRIEF_MS ? brief : dear)

  /** What a job that waits adds to the wait of the others: its share of a call that is full. */
  const shareOf = ({ cost, most }: Work) => estimates.of(cost, most) / most

  function forecast(work: Work): Forecast {
    const queue = queueFor(work.cost)
    const able = queue === brief ? seats : general
    const alone = { wait: 0, work: estimates.of(work.cost) }
    if (queue.items().length === 0 && able.some(isIdle)) return alone
    const now = performance.now()
    // Of brief checks only their own thread is sure to come free soon.
    const sure = queue === brief ? seats.filter((seat) => seat.brief) : general
    const running = sure.reduce(
      (sum, seat) => sum + (seat.jobs.length > 0 ? Math.max(0, seat.started + seat.expected - now) : 0),
      0,
    )
    const ahead = queue.aheadOf(work.subject).reduce((sum, job) => sum + shareOf(job), 0)
    const abreast =
      work.memory > 0 ? Math.max(1, Math.min(sure.length, Math.floor(memory / work.memory))) : sure.length
    return { wait: (running + ahead) / abreast, work: estimates.of(work.cost, work.most) }
  }

  return {
    run: (work) =>
      new Promise((resolve, reject) => {
        if (closed) throw unavailable('closing')
        const queue = queueFor(work.cost)
        wait({ ...work, resolve, reject, queue, crashes: 0, since: performance.now(), stopWaiting: () => {} })
        dispatch()
      }),
    forecast,
    ready: () => up,
    close: async () => {
      closed = true
      announceDown(unavailable('closing'))
      for (const job of [...dear.items(), ...brief.items()]) {
        leaveQueue(job)
        job.reject(unavailable('closing'))
      }
      for (const { jobs, pause, overrun } of seats) {
        clearTimeout(pause)
        clearTimeout(overrun)
        for (const job of jobs) job.reject(unavailable('closing'))
      }
      await Promise.all(seats.map(({ thread }) => thread?.stop()))
    },
    queued: () => dear.items().length + brief.items().length,
    busy: () => seats.filter(({ jobs }) => jobs.length > 0).length,
    memory: held,
  }
}

function emptySeat(brief: boolean): Seat {
  return {
    brief,
    thread: undefined,
    ready: false,
    jobs: [],
    started: 0,
    expected: 0,
    overrun: undefined,
    pause: undefined,
  }
}

function isIdle({ ready, jobs }: Seat): boolean {
  return ready && jobs.length === 0
}

function unavailable(detail: string): Failure {
  return new Failure('unavailable', { detail })
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
