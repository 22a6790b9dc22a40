// Looks at a target before anything is brought there.
import { type Call, CallFailure } from '../outbound/call.ts'
import { type Finding, RunHalt, type Target, type TargetUse } from '../targets/target.ts'
import { createAuthorization } from './authorized.ts'
import { codeOf } from './redact.ts'

/** Milliseconds that an answer "too many" is waited out for at most, and how often. */
const LONGEST_WAIT_MS = 90_000
const MOST_WAITS = 5

/** What the target says of its own readiness. Whatever keeps us from asking is a finding too. */
export async function findingsOf(
  target: Target,
  use: TargetUse,
  { call, wait }: { readonly call: Call; wait(ms: number): Promise<void> },
): Promise<readonly Finding[]> {
  try {
    const patient: Call = async (request) => {
      for (let waits = 0; ; waits++) {
        const answer = await call(request)
        if (answer.status !== 429 || waits === MOST_WAITS) return answer
        const { waitMs, resetAt, now } = target.limitOf(answer) ?? {}
        const ms = waitMs ?? (resetAt === undefined ? 1_000 : resetAt - (now ?? Date.now()))
        await wait(Math.min(LONGEST_WAIT_MS, Math.max(1_000, ms)))
      }
    }
    const append = () => Promise.reject(new Error('nobody is brought while a plan is made'))
    const authorized = createAuthorization(target, () => performance.now())
    return await target.examine({ call: authorized(patient), wait, append }, use)
  } catch (error) {
    if (error instanceof CallFailure)
      return [{ severity: 'error', code: error.code, text: `The target could not be asked: ${error.code}.` }]
    if (error instanceof RunHalt) {
      const code = codeOf(error.targetCode)
      return [
        {
          severity: 'error',
          code: error.reason,
          text: `The target does not let us in: ${error.reason}${code === null ? '' : ` (${code})`}.`,
        },
      ]
    }
    throw error
  }
}
