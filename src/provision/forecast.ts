import { duration } from '../duration.ts'
import type { Order, Traits } from '../targets/target.ts'

export interface Forecast {
  readonly calls: number
  /** Of the limit: what is left to the run, without the share of live sign-ins. null: no limit is known. */
  readonly callsPerMinute: number | null
  /** null: nobody knows. */
  readonly seconds: number | null
  readonly inWords: string
}

export interface Pace {
  /** Calls a minute that the target takes from all of us; undefined: what is known of the target. */
  readonly rate: number | undefined
  /** Percent of them that the run may use. */
  readonly share: number
}

/** How long a run takes that nothing disturbs: a batch has users of one action alone. */
export function forecast(
  users: Readonly<Record<Order['action'], number>>,
  traits: Pick<Traits, 'batch' | 'callsPerBatch' | 'callsPerMinute'>,
  { rate, share }: Pace,
): Forecast {
  const batches = Object.values(users).reduce((sum, count) => sum + Math.ceil(count / traits.batch), 0)
  const calls = Math.ceil(batches * traits.callsPerBatch)
  if (calls === 0) return { calls, callsPerMinute: null, seconds: 0, inWords: 'no call is needed' }
  const limit = rate ?? traits.callsPerMinute
  if (limit === undefined) {
    const inWords = `${count(calls, 'call')}; no limit of the target is known, so nobody can say how long that takes`
    return { calls, callsPerMinute: null, seconds: null, inWords }
  }
  const callsPerMinute = (limit * share) / 100
  const seconds = Math.ceil((calls / callsPerMinute) * 60)
  const pace = `${Math.round(callsPerMinute)} a minute, ${share} % of ${limit}`
  return {
    calls,
    callsPerMinute,
    seconds,
    inWords: `${duration(seconds)}: ${count(calls, 'call')} at ${pace}`,
  }
}

function count(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}
