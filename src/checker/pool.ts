import { performance } from 'node:perf_hooks'
import type { StoredHash } from '../domain.ts'
import { Failure } from '../errors.ts'
import type { Argon2Library } from '../hashes/argon2-library.ts'
import type { HashContext } from '../hashes/context.ts'
import type { Answered, Thread } from './thread.ts'
import { startThread } from './thread.ts'

/** A check may meet a crash that it has not caused; the second one is taken to be its own. */
const CRASHES_ALLOWED = 1
/** A thread that ends before it was ready is not started again at once, which would only keep a core busy. */
const RESTART_PAUSE_MS = 1_000
/** The longest that a timer can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export interface Work {
  readonly stored: StoredHash
  /** Copied for every thread that gets it, and left to the caller to clear. */
  readonly password: Uint8Array
  readonly deadline: number
  /** Milliseconds that it is expected to take. */
  readonly estimate: number
  /** As in Question. */
  readonly argon2: readonly Argon2Library[]
}

/** Threads with one queue. One check a thread at a time, first come, first served. */
export interface Pool {
  /** Throws Failure `overloaded` when the deadline passes in the queue, `unavailable` when threads crash over it. */
  run(work: Work): Promise<Answered>
  /** Milliseconds that work which comes now is expected to wait. */
  wait(): number
  ready(): Promise<void>
  close(): Promise<void>
  queued(): number
  busy(): number
}

interface Job extends Work {
  readonly resolve: (answer: Answered) => void
  readonly reject: (failure: Failure) => void
  crashes: number
  started: number
  timer: NodeJS.Timeout | undefined
}

/** The place of one thread. Threads come and go, seats stay. */
interface Seat {
  thread: Thread | undefined
  ready: boolean
  job: Job | undefined
  pause: NodeJS.Timeout | undefined
}

export function createPool(threads: number, context: HashContext, script?: URL): Pool {
  const seats = Array.from(
    { length: threads },
    (): Seat => ({ thread: undefined, ready: false, job: undefined, pause: undefined }),
  )
  const queue: Job[] = []
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
    const events = {
      ready: () => {
        seat.ready = true
        if (seats.every(({ ready }) => ready)) announceUp()
        dispatch()
      },
      answered: (answer: Answered) => {
        const { job } = seat
        seat.job = undefined
        job?.resolve(answer)
        dispatch()
      },
      ended: () => vacate(seat),
    }
    seat.thread = startThread(events, context, script)
  }

  /** The thread of a seat is gone: its job gets another chance, the seat another thread. */
  function vacate(seat: Seat): void {
    const { job, ready } = seat
    Object.assign(seat, { thread: undefined, ready: false, job: undefined })
    if (job) retry(job)
    if (closed) return
    if (!ready) announceDown(unavailable('thread-start'))
    if (ready) fill(seat)
    else seat.pause = setTimeout(() => fill(seat), RESTART_PAUSE_MS)
  }

  function retry(job: Job): void {
    job.crashes += 1
    if (closed || job.crashes > CRASHES_ALLOWED) {
      job.reject(unavailable(closed ? 'closing' : 'thread-crashed'))
    } else {
      awaitTurn(job)
      queue.unshift(job)
    }
  }

  /** Nobody listens for the answer after the deadline, so the place in the queue is given up. */
  function awaitTurn(job: Job): void {
    const giveUp = () => {
      queue.splice(queue.indexOf(job), 1)
      job.reject(new Failure('overloaded'))
    }
    job.timer = setTimeout(giveUp, Math.min(LONGEST_TIMER_MS, Math.max(0, job.deadline - performance.now())))
  }

  function dispatch(): void {
    for (const seat of seats) {
      const { thread } = seat
      if (!thread || !isIdle(seat)) continue
      const job = takeNext()
      if (!job) return
      seat.job = job
      job.started = performance.now()
      thread.ask({ stored: plain(job.stored), password: ownMemory(job.password), argon2: job.argon2 })
    }
  }

  function takeNext(): Job | undefined {
    for (let job = queue.shift(); job; job = queue.shift()) {
      clearTimeout(job.timer)
      if (performance.now() < job.deadline) return job
      job.reject(new Failure('overloaded'))
    }
    return undefined
  }

  return {
    run: (work) =>
      new Promise((resolve, reject) => {
        if (closed) throw unavailable('closing')
        const job: Job = { ...work, resolve, reject, crashes: 0, started: 0, timer: undefined }
        awaitTurn(job)
        queue.push(job)
        dispatch()
      }),
    wait: () => {
      if (queue.length === 0 && seats.some(isIdle)) return 0
      const now = performance.now()
      const running = seats.reduce(
        (sum, { job }) => sum + (job ? Math.max(0, job.started + job.estimate - now) : 0),
        0,
      )
      return queue.reduce((sum, { estimate }) => sum + estimate, running) / seats.length
    },
    ready: () => up,
    close: async () => {
      closed = true
      announceDown(unavailable('closing'))
      for (const job of queue.splice(0)) {
        clearTimeout(job.timer)
        job.reject(unavailable('closing'))
      }
      for (const { job, pause } of seats) {
        clearTimeout(pause)
        job?.reject(unavailable('closing'))
      }
      await Promise.all(seats.map(({ thread }) => thread?.stop()))
    },
    queued: () => queue.length,
    busy: () => seats.filter(({ job }) => job !== undefined).length,
  }
}

function isIdle({ ready, job }: Seat): boolean {
  return ready && job === undefined
}

function unavailable(detail: string): Failure {
  return new Failure('unavailable', { detail })
}

/** Only the fields that a thread needs: a row may carry more, and what cannot be copied would throw. */
function plain({ encoded, scheme, salt, login, id }: StoredHash): StoredHash {
  return { encoded, scheme, salt, login, id }
}

/** Memory that is shared with nothing, so that it can move to the thread and be cleared there. */
export function ownMemory(password: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = Buffer.allocUnsafeSlow(password.length)
  copy.set(password)
  return copy
}
