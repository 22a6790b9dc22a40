import { z } from 'zod'
import { CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import { expected } from './read-answer.ts'
import { type Authorization, RunHalt } from './target.ts'

const tokenShape = z.object({ access_token: z.string().min(1), expires_in: z.number().positive().optional() })

/**
 * The headers of calls with the token that a token endpoint has answered with (RFC 6749, 5.1). Throws RunHalt where it does not
 * take our client, with what `codeOf` finds in the answer, and CallFailure where it may do so later.
 */
export function authorizationIn(
  answer: OutboundAnswer,
  codeOf: (answer: OutboundAnswer) => string,
): Authorization {
  if (answer.status === 429 || answer.status >= 500) throw new CallFailure('unreachable')
  if (answer.status === 404) throw new RunHalt('not-found', '404')
  if (answer.status !== 200) throw new RunHalt('unauthorized', codeOf(answer))
  const { access_token: token, expires_in: seconds } = expected(answer, tokenShape)
  return { headers: bearer(token), ...(seconds !== undefined && { goodFor: seconds * 1_000 }) }
}

export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}`, accept: 'application/json' }
}

/** A form of the token endpoint: RFC 6749, 4.4. */
export const TOKEN_FORM = {
  'content-type': 'application/x-www-form-urlencoded',
  accept: 'application/json',
} as const
