import type { z } from 'zod'
import { ambiguous, counts, health, problem, provisioning, userHistory } from '../admin/answers.ts'
import { type Json, type Operation, type PathItem, type Response, schemaOf } from './parts.ts'

/** The name of the security scheme of the admin listener. */
export const ADMIN_SCHEME = 'admin-token'

export const adminScheme: Json = {
  type: 'http',
  scheme: 'bearer',
  description: 'One of ADMIN_TOKENS.',
}

/** The schemas of the admin listener's answers, by their names within the document. */
export const adminSchemas: Json = Object.fromEntries(
  Object.entries({
    Health: health,
    Counts: counts,
    UserHistory: userHistory,
    Provisioning: provisioning,
    Ambiguous: ambiguous,
    Problem: problem,
  }).map(([name, schema]) => [name, schemaOf(schema)]),
)

const tally = { total: 40, unmigrated: 6, verified: 25, migrated: 9, unverifiable: 1 }

const examples = {
  ok: { status: 'ok' },
  ready: { status: 'ready' },
  notReady: { status: 'not ready' },
  counts: {
    asOf: '2026-11-21T09:14:33.310Z',
    ...tally,
    cohorts: [{ ...tally, cohort: 'default' }],
    schemes: [{ ...tally, scheme: 'bcrypt' }],
  },
  user: {
    id: '1',
    login: 'ann@example.com',
    email: 'ann@example.com',
    status: 'active',
    state: 'verified',
    cohort: 'default',
    scheme: 'bcrypt',
    verifiable: true,
    verifiedAt: '2026-11-21T09:14:33.310Z',
    migratedAt: null,
    purgedAt: null,
    history: [
      {
        at: '2026-11-21T09:14:33.310Z',
        dialect: 'name-of-the-dialect',
        hook: 'name-of-the-hook',
        verdict: 'match',
        scheme: 'bcrypt',
        millis: 118,
        requestId: 'request-1',
      },
    ],
  },
  provisioning: {
    asOf: '2026-11-21T09:14:33.310Z',
    plans: [
      {
        plan: '00000000-0000-4000-8000-000000000000',
        target: 'name-of-the-target',
        state: 'running',
        pausedFor: null,
        speed: null,
        createdAt: '2026-11-21T08:00:00.000Z',
        startedAt: '2026-11-21T09:00:00.000Z',
        endedAt: null,
        users: 40,
        counts: [
          { action: 'create', method: 'hook', state: 'pending', reason: null, users: 12 },
          { action: 'create', method: 'hook', state: 'created', reason: null, users: 27 },
          { action: 'create', method: 'hook', state: 'refused', reason: 'taken', users: 1 },
        ],
      },
    ],
  },
  unauthorized: { status: 401, title: 'unauthorized' },
  nobody: { status: 404, title: 'nobody in the copy has this login' },
  several: { status: 409, title: 'several users answer to this login, so it is nobody', ids: ['1', '2'] },
  unavailable: { status: 503, title: 'temporarily unavailable' },
} as const satisfies Record<
  string,
  z.infer<
    | typeof health
    | typeof counts
    | typeof userHistory
    | typeof provisioning
    | typeof ambiguous
    | typeof problem
  >
>

export const adminPaths: Readonly<Record<string, PathItem>> = {
  '/healthz': {
    get: open('healthz', 'whether the process answers', {
      200: json('it does', 'Health', examples.ok),
    }),
  },
  '/readyz': {
    get: open('readyz', 'whether a query and a check succeed in time', {
      200: json('they do', 'Health', examples.ready),
      503: json('they do not, or a shutdown has begun', 'Health', examples.notReady),
    }),
  },
  '/counts': {
    get: guarded('counts', 'who is unmigrated, verified and migrated', {
      200: json('the kept counts', 'Counts', examples.counts),
    }),
  },
  '/users/{login}': {
    get: {
      ...guarded('user', 'the state and history of one user', {
        200: json('the user; neither hash nor profile', 'UserHistory', examples.user),
        404: json('nobody in the copy has this login', 'Problem', examples.nobody),
        409: json('several users answer to it', 'Ambiguous', examples.several),
      }),
      parameters: [
        {
          name: 'login',
          in: 'path',
          required: true,
          description: 'A login or an e-mail address.',
          schema: { type: 'string' },
          example: 'ann@example.com',
        },
      ],
    },
  },
  '/provisioning': {
    get: guarded('provisioning', 'what is brought to targets, and how far that is', {
      200: json('plans with their kept counts; nobody is named', 'Provisioning', examples.provisioning),
    }),
  },
  '/metrics': {
    get: guarded('metrics', 'metrics for Prometheus', {
      200: {
        description: 'the text format of Prometheus',
        content: { 'text/plain': { schema: { type: 'string' }, example: 'carryover_verdicts_total 0\n' } },
      },
    }),
  },
  '/openapi.json': {
    get: guarded('openapi', 'this document', {
      200: {
        description: 'OpenAPI 3.1',
        content: { 'application/json': { schema: { type: 'object' }, example: { openapi: '3.1.1' } } },
      },
    }),
  },
}

function open(name: string, summary: string, responses: Operation['responses']): Operation {
  return { operationId: `admin.${name}`, summary, tags: ['admin'], security: [], responses }
}

function guarded(name: string, summary: string, responses: Operation['responses']): Operation {
  return {
    ...open(name, summary, {
      ...responses,
      401: json('no token, or a wrong one', 'Problem', examples.unauthorized),
      503: json('the database could not be asked in time', 'Problem', examples.unavailable),
    }),
    security: [{ [ADMIN_SCHEME]: [] }],
  }
}

function json(description: string, schema: string, example: object): Response {
  return {
    description,
    content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` }, example } },
  }
}
