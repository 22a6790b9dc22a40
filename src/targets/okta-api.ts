// What both APIs of Okta have in common that we call: that of users, and that of the System Log.
import type { OutboundAnswer } from '../outbound/call.ts'
import { clockOf, numberIn } from './read-answer.ts'
import { type LimitNotice, TargetError } from './target.ts'

/** What Okta says of a window of a minute is a moment of its own clock; its own SDK waits a second longer. */
const AFTER_RESET_MS = 1_000

/** When too much is asked at the same time there is no window to wait for. */
const CONCURRENCY_WAIT_MS = 1_000

/** The word before a token in `Authorization`. Throws TargetError. */
export function schemeOf(text: string): 'SSWS' | 'Bearer' {
  switch (text.toLowerCase()) {
    case 'ssws':
      return 'SSWS'
    case 'bearer':
      return 'Bearer'
  }
  throw new TargetError('TOKEN_TYPE: expected ssws or bearer')
}

/**
 * `X-Rate-Limit-Reset` is in seconds of Okta's clock. When limit and remaining are both 0 too much was asked at the same time.
 * https://developer.okta.com/docs/reference/rl-best-practices/
 */
export function limitOf(answer: OutboundAnswer): LimitNotice | null {
  const limit = numberIn(answer, 'x-rate-limit-limit')
  const remaining = numberIn(answer, 'x-rate-limit-remaining')
  const reset = numberIn(answer, 'x-rate-limit-reset')
  const now = clockOf(answer)
  const clock = now === undefined ? {} : { now }
  if (limit === 0 && remaining === 0) return { ...clock, waitMs: CONCURRENCY_WAIT_MS }
  if (limit === undefined || remaining === undefined || reset === undefined)
    return answer.status === 429 ? { ...clock, waitMs: CONCURRENCY_WAIT_MS } : null
  const resetAt = reset * 1_000
  const window = { ...clock, limit, remaining, resetAt }
  if (answer.status !== 429) return window
  return { ...window, waitMs: Math.max(0, resetAt - (now ?? resetAt)) + AFTER_RESET_MS }
}
