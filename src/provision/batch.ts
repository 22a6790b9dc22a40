import { Failure } from '../errors.ts'
import { CallFailure } from '../outbound/call.ts'
import { type Brought, type Order, type Result, RunHalt } from '../targets/target.ts'

/**
 * Brings a batch and tells what became of each order, as soon as it is known. Where one order spoils the whole batch and the
 * target does not say which, both halves are tried, and so on, until the bad one is alone. Throws RunHalt, and whatever
 * else `bring` throws: orders that were not told about are as before.
 */
export async function bringInHalves<O extends { readonly order: Order }>(
  batch: readonly O[],
  bring: (orders: readonly Order[]) => Promise<Brought>,
  tell: (one: O, result: Result) => void,
): Promise<void> {
  const brought = await broughtOf(batch, bring)
  switch (brought.kind) {
    case 'each': {
      if (brought.results.length !== batch.length)
        throw new Failure('internal', { detail: 'target-results-missing' })
      brought.results.forEach((result, place) => {
        const one = batch[place]
        if (one !== undefined) tell(one, result)
      })
      return
    }
    case 'whole': {
      const [only, ...others] = batch
      if (only !== undefined && others.length === 0) return tell(only, brought.refused)
      const middle = Math.ceil(batch.length / 2)
      for (const half of [batch.slice(0, middle), batch.slice(middle)])
        if (half.length > 0) await bringInHalves(half, bring, tell)
    }
  }
}

async function broughtOf(
  batch: readonly { readonly order: Order }[],
  bring: (orders: readonly Order[]) => Promise<Brought>,
): Promise<Brought> {
  try {
    return await bring(batch.map(({ order }) => order))
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error
    return { kind: 'each', results: batch.map(() => resultOf(error)) }
  }
}

/** Nobody knows whether it was heard, so it is tried again; an address that cannot be right stops the run. */
function resultOf({ code }: CallFailure): Result {
  switch (code) {
    case 'forbidden-address':
    case 'redirect':
    case 'tls':
      throw new RunHalt('misconfigured', code)
    case 'timeout':
    case 'unreachable':
    case 'too-large':
    case 'malformed':
      return { kind: 'postponed', reason: 'no-answer' }
  }
}
