import { timingSafeEqual } from 'node:crypto'
import type { BcryptJob } from './bcrypt-work.ts'
import { createBcryptWork } from './bcrypt-work.ts'

/** Checks that can share one call, at little more than the price of one. */
export interface Lane {
  /** Checks of one kind may share a call: `bcrypt 10`. */
  readonly kind: string
  /** The most checks of one call. */
  readonly most: number
  /** One check for `runLanes`; null for a password that cannot match, which takes no work. */
  job(password: Uint8Array): LaneJob | null
}

/** A check that is ready to run. It is good for as long as the memory of its password is. */
export interface LaneJob extends BcryptJob {
  /** 23 bytes. */
  readonly digest: Buffer
}

/** Whether each of these passwords matches, in the order of the jobs: 1 to `most` of one kind. */
export function runLanes(jobs: readonly (LaneJob | null)[]): boolean[] {
  const present = jobs.filter((job) => job !== null)
  const digests = present.length === 0 ? [] : bcryptDigests(present)
  const made = new Map(present.map((job, index) => [job, digests[index]]))
  return jobs.map((job) => {
    const digest = job === null ? undefined : made.get(job)
    return job !== null && digest !== undefined && timingSafeEqual(digest, job.digest)
  })
}

/** One work for every format of this thread, so that its modules and their test are made once. */
const work = createBcryptWork()

/** The 23 bytes that bcrypt stores, for each of 1 to MOST_LANES jobs of one cost, in their order. */
export const bcryptDigests = work.digestsOf

/** Whether the lanes compute rightly here. If not, checks of bcrypt are right, and slower. Takes some tens of milliseconds once. */
export const lanesWork = work.lanesWork
