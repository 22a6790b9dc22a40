import { performance } from 'node:perf_hooks'
import { Failure } from '../errors.ts'
import type { Estimates } from './estimates.ts'
import { createQueue, type Queue } from './queue.ts'
import type { Job, Work } from './work.ts'

/** The longest that a timer can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
/** Milliseconds. What takes longer never has a thread that brief checks could need. */
const BRIEF_MS = 20

/** Jobs that wait for a thread. Each leaves when its deadline passes or its caller hangs up. */
export interface WaitingRoom {
  enter(job: Job): void
  /** The jobs of the next call, taken out. @param seats how many calls can be begun now */
  next(kinds: 'every' | 'brief', freeMemory: number, seats: number): readonly Job[]
  isBrief(work: Work): boolean
  /** Those that this work would have to wait for, if it came now. */
  aheadOf(work: Work): readonly Job[]
  size(): number
  /** Takes all of them out. */
  empty(): readonly Job[]
}

/** Dear checks have the first choice of a thread that does every kind. */
export function createWaitingRoom(estimates: Estimates): WaitingRoom {
  const dear = createQueue<Job>()
  const brief = createQueue<Job>()
  const stays = new Map<Job, { queue: Queue<Job>; end: () => void }>()

  const isBrief = ({ cost }: Work) => estimates.of(cost) <= BRIEF_MS
  const queueFor = (work: Work) => (isBrief(work) ? brief : dear)

  /** False: it has left already. */
  const leave = (job: Job): boolean => {
    const stay = stays.get(job)
    stay?.end()
    stays.delete(job)
    return stay?.queue.remove(job) ?? false
  }

  const enter = (job: Job) => {
    const giveUp = (detail: string) => () => {
      if (leave(job)) job.reject(new Failure('overloaded', { detail }))
    }
    const left = Math.min(LONGEST_TIMER_MS, Math.max(0, job.deadline - performance.now()))
    const timer = setTimeout(giveUp('queue'), left)
    const forget = job.caller?.onceGone(giveUp('caller-gone'))
    const end = () => {
      clearTimeout(timer)
      forget?.()
    }
    const queue = queueFor(job)
    stays.set(job, { queue, end })
    queue.add(job)
  }

  return {
    enter,
    isBrief,
    next: (kinds, freeMemory, seats) => {
      for (const queue of kinds === 'brief' ? [brief] : [dear, brief]) {
        const first = firstAffordable(queue.items(), freeMemory)
        if (!first) continue
        const jobs = companyOf(first, queue.items(), seats)
        for (const job of jobs) leave(job)
        return jobs
      }
      return []
    },
    aheadOf: (work) => queueFor(work).aheadOf(work.subject),
    size: () => dear.items().length + brief.items().length,
    empty: () => {
      const jobs = [...dear.items(), ...brief.items()]
      for (const job of jobs) leave(job)
      return jobs
    },
  }
}

/** Those that need memory keep their order, or small ones would keep a large one waiting for ever. */
function firstAffordable(items: readonly Job[], freeMemory: number): Job | undefined {
  const firstBlocked = items.findIndex((job) => job.memory > freeMemory)
  const isBehind = (place: number) => firstBlocked !== -1 && place >= firstBlocked
  return items.find((job, place) => job.memory === 0 || !isBehind(place))
}

/** Those of its kind that can share its call, shared out over the calls that can be begun now. One that crashed is alone. */
function companyOf(first: Job, items: readonly Job[], seats: number): readonly Job[] {
  if (first.most === 1 || first.crashes > 0) return [first]
  const same = items.filter(({ cost, crashes }) => cost.kind === first.cost.kind && crashes === 0)
  return same.slice(0, Math.min(first.most, Math.ceil(same.length / Math.max(1, seats))))
}
