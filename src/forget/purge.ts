/** What a purge needs: each call is a short transaction of its own. */
export interface PurgeSteps {
  /** Purges at most so many users whose migration was confirmed. Says how many. */
  migrated(most: number): Promise<number>
  /** Likewise of users whom nobody confirmed, from `after` on; null: they are left alone. */
  readonly verified:
    | ((
        after: string | null,
        most: number,
      ) => Promise<{ readonly users: number; readonly last: string | null }>)
    | null
  /** Between two batches, in which others have the rows of the copy to themselves. */
  pause(): Promise<void>
  readonly stop: AbortSignal
  /** Told after every batch. */
  told(kind: 'migrated' | 'verified', users: number): void
}

/** Users of a transaction: some milliseconds of work, so that it is never ended by a limit and holds nobody up. */
const BATCH = 500

/** Purges everybody whose time has come, batch by batch. False: asked to stop; what was done so far holds. */
export async function purgeDue(steps: PurgeSteps): Promise<boolean> {
  while (!steps.stop.aborted) {
    const users = await steps.migrated(BATCH)
    if (users === 0) break
    steps.told('migrated', users)
    await steps.pause()
  }
  let after: string | null = null
  while (steps.verified !== null && !steps.stop.aborted) {
    const { users, last }: { users: number; last: string | null } = await steps.verified(after, BATCH)
    if (last === null) break
    after = last
    steps.told('verified', users)
    await steps.pause()
  }
  return !steps.stop.aborted
}
