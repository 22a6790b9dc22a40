import { performance } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { Failure } from '../errors.ts'
import { useArgon2Libraries } from '../hashes/argon2-library.ts'
import { copiedContext } from '../hashes/context.ts'
import type { ReadHash } from '../hashes/format.ts'
import { HashError } from '../hashes/format.ts'
import { exampleStored, readHash } from '../hashes/index.ts'
import { type Lane, runLanes } from '../hashes/lanes.ts'
import { isAsSent, matchesInForms, takesNul } from '../hashes/password-forms.ts'
import { asFailure } from './failure.ts'
import type { Answer, Check, Finding, Question } from './messages.ts'

const context = copiedContext(workerData)

/** A check that can share a call. */
interface Shared {
  readonly hash: ReadHash
  readonly lane: Lane
  readonly password: Uint8Array
}

/** The thread: one question at a time, one answer for each. */
async function answerTo({ checks, argon2 }: Question): Promise<Answer> {
  useArgon2Libraries(argon2)
  const started = performance.now()
  const findings = findTogether(checks) ?? (await findEach(checks))
  for (const { password } of checks) password.fill(0)
  return { kind: 'answered', findings, millis: performance.now() - started }
}

/** In one call; null where that cannot be done. */
function findTogether(checks: readonly Check[]): readonly Finding[] | null {
  if (checks.length === 1) return null
  try {
    const shared = checks.flatMap(sharedOf)
    if (shared.length < checks.length) return null
    const matches = runLanes(shared.map(({ lane, password }) => lane.job(password)))
    return shared.map(({ hash, password }, place) => ({
      kind: 'verdict',
      matches: matches[place] === true && takesNul(hash, password),
    }))
  } catch {
    // Whichever it was that failed: each alone gets its own finding.
    return null
  }
}

function sharedOf({ stored, password }: Check): Shared[] {
  const hash = readHash(stored, context)
  const { lane } = hash
  return lane && isAsSent(password, context.forms) ? [{ hash, lane, password }] : []
}

async function findEach(checks: readonly Check[]): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const check of checks) findings.push(await find(check))
  return findings
}

async function find({ stored, password }: Check): Promise<Finding> {
  try {
    const hash = readHash(stored, context)
    return { kind: 'verdict', matches: await matchesInForms(hash, password, context.forms) }
  } catch (error) {
    if (error instanceof HashError) return { kind: 'unusable', defect: error.defect }
    const { code, detail } = asFailure(error)
    return { kind: 'failure', code, detail: detail ?? code }
  }
}

/** Of ordinary bcrypt with a cheaper cost: enough rounds to be compiled well, and soon over. */
const TRIAL = { cost: '08', times: 4 }

/** How much longer than its format says a check takes here. The first ones are slow, because they are compiled meanwhile. */
function measureSlowness(): number {
  const stored = exampleStored('bcrypt')
  const trial = readHash({ ...stored, encoded: stored.encoded?.replace('$10$', `$${TRIAL.cost}$`) ?? null })
  const times = Array.from({ length: TRIAL.times }, () => {
    const started = performance.now()
    trial.matches(Buffer.from('trial'))
    return performance.now() - started
  })
  return Math.min(...times) / trial.millis
}

if (parentPort === null) throw new Failure('internal', { detail: 'not-a-thread' })
const port = parentPort
port.on('message', async (question: Question) => {
  port.postMessage(await answerTo(question))
})
port.postMessage({ kind: 'ready', slowness: measureSlowness() } satisfies Answer)
