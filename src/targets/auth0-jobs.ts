import { z } from 'zod'
import { CallFailure, type OutboundAnswer, type OutboundRequest } from '../outbound/call.ts'
import { multipart } from './multipart.ts'
import { expected, jsonOf, keyShape } from './read-answer.ts'
import { type Context, ExpiredError, RunHalt } from './target.ts'

/** Auth0 takes 500 KB and advises to stay below 400 in large migrations. */
export const MOST_FILE_BYTES = 400_000

/** Between two looks at a job, in milliseconds: soon at first, since small ones are done in a moment. */
const WAITS = { first: 1_000, longest: 10_000 }

/** Auth0 ends a job after two hours. */
const LONGEST_JOB_MS = 2 * 60 * 60 * 1000 + 5 * 60 * 1000

/** Looks at a job in a row that may come to nothing; the job goes on meanwhile. */
const MOST_MISSES = 5

export interface ImportJob {
  readonly api: string
  readonly connectionId: string
  readonly upsert: boolean
  readonly tag: string | null
  /** JSON of one user each. */
  readonly users: readonly string[]
}

export interface UserError {
  readonly userId: string | null
  readonly email: string | null
  readonly code: string
  readonly path: string
  readonly message: string | null
}

export type JobOutcome =
  | { readonly kind: 'completed'; readonly failed: number; readonly errors: readonly UserError[] }
  /** Nothing can be said about single users. */
  | { readonly kind: 'failed'; readonly code: string; readonly tooLarge: boolean }
  | { readonly kind: 'postponed'; readonly reason: 'busy' | 'no-answer' }

/**
 * Runs one import job to its end: https://auth0.com/docs/manage-users/user-migration/bulk-user-imports
 * Throws CallFailure when nobody knows whether it was taken, ExpiredError, RunHalt.
 */
export async function runImport(job: ImportJob, context: Context): Promise<JobOutcome> {
  const started = await context.call(request(job))
  if (started.status === 429) return { kind: 'postponed', reason: 'busy' }
  if (started.status >= 500) return { kind: 'postponed', reason: 'no-answer' }
  haltOn(started)
  const code = codeOf(started)
  if (started.status === 404) throw new RunHalt('not-found', code)
  // As inexistent_connection: the next file would fare no better.
  if (started.status === 400 && code.includes('connection')) throw new RunHalt('misconfigured', code)
  if (started.status >= 400) return { kind: 'failed', code, tooLarge: started.status === 413 }
  const { id } = expected(started, jobShape)
  const url = `${job.api}/jobs/${encodeURIComponent(id)}`
  const ended = await ending(url, context)
  if (ended === null) return { kind: 'postponed', reason: 'no-answer' }
  const failed = ended.summary?.failed ?? 0
  if (ended.status === 'completed' && failed === 0) return { kind: 'completed', failed, errors: [] }
  const errors = await errorsOf(url, context)
  if (errors === null) return { kind: 'postponed', reason: 'no-answer' }
  if (ended.status === 'completed') return { kind: 'completed', failed, errors }
  return { kind: 'failed', code: 'job-failed', tooLarge: false }
}

/** Users in files of at most `most` bytes, in their order. Whoever is larger alone has a file of their own. */
export function files<T extends { readonly json: string }>(users: readonly T[], most: number): T[][] {
  const all: T[][] = []
  let bytes = 0
  for (const user of users) {
    const size = fileBytes(user.json)
    const last = all.at(-1)
    if (last === undefined || bytes + size - 1 > most) {
      all.push([user])
      bytes = size
    } else {
      last.push(user)
      // One comma more, and its brackets are there already.
      bytes += size - 1
    }
  }
  return all
}

/** Of a file with this user alone. */
export function fileBytes(json: string): number {
  return Buffer.byteLength(json) + 2
}

function request({ api, connectionId, upsert, tag, users }: ImportJob): OutboundRequest {
  const { contentType, body } = multipart([
    { name: 'connection_id', text: connectionId },
    { name: 'upsert', text: String(upsert) },
    // It is on by default and goes to every administrator of the tenant.
    { name: 'send_completion_email', text: 'false' },
    ...(tag === null ? [] : [{ name: 'external_id', text: tag }]),
    { name: 'users', fileName: 'users.json', text: `[${users.join(',')}]` },
  ])
  return { method: 'POST', url: `${api}/jobs/users-imports`, headers: { 'content-type': contentType }, body }
}

const jobShape = z.object({ id: keyShape, status: z.string() })

const endedShape = z.object({
  status: z.string(),
  summary: z
    .object({ failed: z.number().int().min(0) })
    .optional()
    .catch(undefined),
})

/** The job when it has ended; null: it cannot be known. */
async function ending(url: string, context: Context): Promise<z.infer<typeof endedShape> | null> {
  let wait = WAITS.first
  let misses = 0
  for (let waited = 0; waited < LONGEST_JOB_MS; waited += wait, wait = Math.min(wait * 1.5, WAITS.longest)) {
    await context.wait(wait)
    const answer = await attempted(url, context)
    const job = answer?.status === 200 ? endedShape.safeParse(jsonOf(answer)) : undefined
    if (job?.success) {
      misses = 0
      if (job.data.status === 'completed' || job.data.status === 'failed') return job.data
    } else if (++misses >= MOST_MISSES) return null
  }
  return null
}

const errorsShape = z.array(
  z.object({
    user: z.object({ user_id: z.string().optional(), email: z.string().optional() }).catch({}),
    errors: z
      .array(
        z.object({
          code: z.string().optional(),
          message: z.string().optional(),
          path: z.string().optional(),
        }),
      )
      .catch([]),
  }),
)

/** https://auth0.com/docs/api/management/v2/jobs/get-errors; null: they cannot be had. */
async function errorsOf(url: string, context: Context): Promise<readonly UserError[] | null> {
  for (let tried = 0; tried < MOST_MISSES; tried++) {
    if (tried > 0) await context.wait(WAITS.first)
    const answer = await attempted(`${url}/errors`, context)
    if (answer?.status === 204) return []
    const list = answer?.status === 200 ? errorsShape.safeParse(jsonOf(answer)) : undefined
    if (!list?.success) continue
    return list.data.map(({ user, errors: [first] }) => ({
      userId: user.user_id ?? null,
      email: user.email ?? null,
      code: first?.code ?? 'unknown',
      path: first?.path ?? '',
      message: first?.message ?? null,
    }))
  }
  return null
}

/** A look at a job that goes on by itself: what comes to nothing is tried again. */
async function attempted(url: string, context: Context): Promise<OutboundAnswer | null> {
  try {
    const answer = await context.call({ method: 'GET', url })
    haltOn(answer)
    return answer
  } catch (error) {
    if (error instanceof CallFailure) return null
    throw error
  }
}

/** Throws RunHalt where the next user would fare no better, ExpiredError where another token may help. */
export function haltOn(answer: OutboundAnswer): void {
  if (answer.status === 401) throw new ExpiredError()
  if (answer.status === 403) throw new RunHalt('unauthorized', codeOf(answer))
}

const failureShape = z.object({ errorCode: z.string().optional(), message: z.string().optional() })

/** Auth0's own code, or the status. */
export function codeOf(answer: OutboundAnswer): string {
  const failure = failureShape.safeParse(jsonOf(answer))
  return (failure.success ? failure.data.errorCode : undefined) ?? String(answer.status)
}

export function messageOf(answer: OutboundAnswer): string | null {
  const failure = failureShape.safeParse(jsonOf(answer))
  return (failure.success ? failure.data.message : undefined) ?? null
}
