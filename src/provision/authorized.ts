import type { Call } from '../outbound/call.ts'
import { withoutSecrets } from '../outbound/unsaid.ts'
import type { Authorization, Target } from '../targets/target.ts'

/** Of the time that a token is good for, the part after which another one is fetched: a call may be in flight for a while. */
const USED = 0.9

/**
 * Calls with the target's headers. A token that ends is fetched again before it does, and once more when the target does not
 * take it: somebody may have revoked it early.
 */
export function createAuthorization({ authorize }: Pick<Target, 'authorize'>, now: () => number) {
  let held: { readonly authorization: Authorization; readonly until: number } | undefined
  let asking: Promise<Authorization> | undefined

  const fetched = async (call: Call) => {
    const authorization = await authorize(call)
    const { goodFor = Number.POSITIVE_INFINITY } = authorization
    held = { authorization, until: now() + goodFor * USED }
    return authorization
  }
  const current = async (call: Call): Promise<Authorization> => {
    if (held !== undefined && now() < held.until) return held.authorization
    // Many calls that begin at once ask for one token.
    asking ??= fetched(call).finally(() => {
      asking = undefined
    })
    return asking
  }

  return (call: Call): Call =>
    async (request) => {
      const ask = async (authorization: Authorization) =>
        withoutSecrets(
          call,
          secretsOf(authorization),
        )({
          ...request,
          headers: { ...request.headers, ...authorization.headers },
        })
      const authorization = await current(call)
      const answer = await ask(authorization)
      if (answer.status !== 401 || authorization.goodFor === undefined) return answer
      if (held?.authorization === authorization) held = undefined
      return ask(await current(call))
    }
}

/** The token behind the word for its kind. */
function secretsOf({ headers: { authorization = '' } }: Authorization): readonly string[] {
  return [authorization.split(' ').at(-1) ?? '']
}
