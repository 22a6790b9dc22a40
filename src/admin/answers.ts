// What the admin listener answers: the types of its answers and, in `/openapi.json`, their schemas.
import { z } from 'zod'

const number = z.int().min(0)
const moment = z.iso.datetime({ offset: true })

const tally = {
  total: number,
  unmigrated: number,
  verified: number,
  migrated: number,
  unverifiable: number.describe('Those of the unmigrated whose stored hash nothing here can check.'),
}

export const health = z.object({ status: z.enum(['ok', 'ready', 'not ready']) })

export const counts = z.object({
  asOf: moment,
  ...tally,
  cohorts: z.array(z.object({ ...tally, cohort: z.string() })).readonly(),
  schemes: z.array(z.object({ ...tally, scheme: z.string() })).readonly(),
  mismatchVariants: z
    .array(z.object({ scheme: z.string(), variant: z.string(), count: number }))
    .readonly()
    .optional()
    .describe(
      'With DIAGNOSE_MISMATCHES=on: what wrong passwords may have come from, since the start of this process.',
    ),
})

export const userHistory = z.object({
  id: z.string(),
  login: z.string(),
  email: z.string().nullable(),
  status: z.string(),
  state: z
    .enum(['unmigrated', 'verified', 'migrated', 'unlisted'])
    .describe('`unlisted`: in the copy, but not in the ledger yet (run `carryover sync`).'),
  cohort: z.string().nullable(),
  scheme: z.string().nullable(),
  verifiable: z.boolean().nullable(),
  verifiedAt: moment.nullable(),
  migratedAt: moment.nullable(),
  purgedAt: moment.nullable().describe('When the stored hash was taken out of the copy.'),
  history: z
    .array(
      z.object({
        at: moment,
        dialect: z.string(),
        hook: z.string(),
        verdict: z.string(),
        scheme: z.string().nullable(),
        millis: number,
        requestId: z.string().nullable(),
      }),
    )
    .readonly()
    .describe('Newest first, at most 100.'),
})

export const provisioning = z.object({
  asOf: moment,
  plans: z
    .array(
      z.object({
        plan: z.string(),
        target: z.string(),
        state: z.enum(['ready', 'running', 'paused', 'stopped', 'done']),
        pausedFor: z.string().nullable().describe('Why it was paused; null where people did it.'),
        speed: number.nullable().describe('Calls a minute at most, of all processes together.'),
        createdAt: moment,
        startedAt: moment.nullable(),
        endedAt: moment.nullable(),
        users: number.describe('All that the plan names, those who are left out among them.'),
        counts: z
          .array(
            z.object({
              action: z.string(),
              method: z.string().describe('How the password gets there; `none`: it is left as it is.'),
              state: z.enum([
                'pending',
                'created',
                'updated',
                'unchanged',
                'removed',
                'refused',
                'postponed',
                'left-out',
              ]),
              reason: z.string().nullable().describe('Of those who were refused, postponed or left out.'),
              users: number,
            }),
          )
          .readonly(),
      }),
    )
    .readonly()
    .describe('Newest first, at most 100.'),
})

export const problem = z.object({ status: z.int(), title: z.string() })

export const ambiguous = z.object({
  ...problem.shape,
  ids: z.array(z.string()).readonly().describe('The first two of those who answer to the login.'),
})

export type Health = z.infer<typeof health>
export type Counts = z.infer<typeof counts>
export type UserHistory = z.infer<typeof userHistory>
export type Provisioning = z.infer<typeof provisioning>
export type Problem = z.infer<typeof problem>
export type Ambiguous = z.infer<typeof ambiguous>
