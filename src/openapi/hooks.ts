import type { AttemptQuestion, Dialect, Hook, RegistrationQuestion, Reply } from '../dialects/dialect.ts'
import type { LegacyUser, Verdict } from '../domain.ts'
import { Failure, type FailureCode } from '../errors.ts'
import { type Json, type Operation, type PathItem, type Response, schemaOf } from './parts.ts'

/** A hook that has a route. */
export interface Served {
  readonly dialect: Dialect
  readonly hook: Hook
}

/** A reply that the hook's own code makes, and when it does. */
interface Example {
  readonly name: string
  readonly when: string
  readonly reply: Reply
}

const somebody: LegacyUser = {
  id: '1',
  login: 'ann@example.com',
  email: 'ann@example.com',
  hash: { encoded: null, scheme: null, salt: null, login: 'ann@example.com', id: '1' },
  status: 'active',
  cohort: 'default',
  profile: { given_name: 'Ann', family_name: 'Example' },
  state: 'unmigrated',
  verifiedAt: null,
  migratedAt: null,
}

const verdicts: Readonly<Record<Verdict['kind'], { readonly verdict: Verdict; readonly when: string }>> = {
  match: { verdict: { kind: 'match', user: somebody }, when: 'the right password' },
  mismatch: { verdict: { kind: 'mismatch' }, when: 'a wrong password' },
  'unknown-login': { verdict: { kind: 'unknown-login' }, when: 'nobody, or several, have this login' },
  disabled: { verdict: { kind: 'disabled' }, when: 'the user is disabled or locked' },
  throttled: { verdict: { kind: 'throttled' }, when: 'too many refusals of this login' },
  'unusable-hash': {
    verdict: { kind: 'unusable-hash', defect: 'malformed' },
    when: 'the stored hash cannot be checked',
  },
  migrated: { verdict: { kind: 'migrated' }, when: 'migrated, and the grace period is over' },
}

/** What may keep a hook from answering, and `body` where only a body can be the reason. */
const failures: readonly { readonly code: FailureCode; readonly body?: true }[] = [
  { code: 'bad-request', body: true },
  { code: 'unauthorized' },
  { code: 'too-large', body: true },
  { code: 'unsupported-media-type', body: true },
  { code: 'overloaded' },
  { code: 'unavailable' },
  { code: 'internal' },
]

/** The paths of the hooks that are served. Every example of an answer comes from the code that answers. */
export function hooksPaths(served: readonly Served[]): Record<string, PathItem> {
  const paths: Record<string, PathItem> = {}
  for (const { dialect, hook } of served) {
    const path = hook.path.replace(/\*$/, '{rest}')
    paths[path] = { ...paths[path], [hook.method.toLowerCase()]: operationOf(dialect, hook) }
  }
  return paths
}

/** The security scheme of one dialect's callers. */
export function callerScheme({ title, caller }: Dialect): Json {
  if (caller !== undefined) {
    const description = `An access token that ${title} sends with each call.`
    return { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description }
  }
  return {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: `What ${title} is configured to prove itself with: a fixed value, HTTP Basic or an access token here, or a signature or a client certificate instead. See docs/callers.md.`,
  }
}

/** The name of that scheme within the document. */
export function callerName({ name }: Dialect): string {
  return `${name}-secret`
}

function operationOf(dialect: Dialect, hook: Hook): Operation {
  const body = 'schema' in hook && hook.method === 'POST'
  return {
    operationId: `${dialect.name}.${hook.name}`,
    summary: `${dialect.title}: ${summaries[hook.flow]}`,
    tags: [dialect.title],
    security: hook.flow === 'handshake' && hook.open ? [] : [{ [callerName(dialect)]: [] }],
    ...(hook.path.endsWith('*') && {
      parameters: [{ name: 'rest', in: 'path', required: true, schema: { type: 'string' } }],
    }),
    ...(body && { requestBody: requestBodyOf(hook) }),
    responses: responsesOf([...answersOf(hook), ...failuresOf(dialect, hook, body)]),
  }
}

const summaries: Readonly<Record<Hook['flow'], string>> = {
  attempt: 'is this the password of this login?',
  lookup: 'who has this login?',
  registration: 'may somebody register under these names?',
  confirmation: 'what became of the passwords of its users',
  handshake: 'the verification of this address',
}

function requestBodyOf({ schema, example }: Extract<Hook, { schema: unknown }>): Json {
  return {
    required: true,
    description: 'At most 64 KiB, without content coding. An optional part of another type counts as absent.',
    content: {
      'application/json': { schema: schemaOf(schema), ...(example !== undefined && { example }) },
    },
  }
}

function answersOf(hook: Hook): Example[] {
  switch (hook.flow) {
    case 'attempt': {
      const question: AttemptQuestion = exampleQuestion(hook) ?? { ...ASKED, password: 'what she typed' }
      return [
        ...Object.entries(verdicts).map(([name, { verdict, when }]) => ({
          name,
          when,
          reply: hook.answer(verdict, question),
        })),
        ...foundBy((user) => hook.found?.(user, { ...question, password: null })),
      ]
    }
    case 'lookup': {
      const question = exampleQuestion(hook) ?? ASKED
      return foundBy((user) => hook.found(user, question))
    }
    case 'registration':
      return admissionsOf(hook.answer, exampleQuestion(hook) ?? REGISTERING)
    case 'confirmation':
      return [{ name: 'taken-in', when: 'taken in', reply: hook.answer() }]
    case 'handshake':
      return [
        {
          name: 'verified',
          when: 'the headers that are asked for',
          reply: hook.answer(() => 'from the header'),
        },
        { name: 'headers-missing', when: 'without them', reply: hook.answer(() => undefined) },
      ]
  }
}

const ASKED = { login: 'ann@example.com', requestId: null }
const REGISTERING: RegistrationQuestion = {
  names: [{ field: 'login', value: 'ann@example.com' }],
  given: ['login'],
  kind: 'new',
  self: null,
  requestId: null,
}

/** undefined: the hook has no example, reads its question from elsewhere than the body, or has to decrypt it. */
function exampleQuestion<Question>(hook: {
  readonly schema: { safeParse(body: unknown): { readonly data?: Question | undefined } }
  readonly example?: unknown
}): Question | undefined {
  try {
    return hook.schema.safeParse(hook.example).data
  } catch {
    // So it is with schemas that wait for something; nothing invented could be decrypted.
    return undefined
  }
}

function foundBy(answer: (user: LegacyUser | null) => Reply | undefined): Example[] {
  const found = answer(somebody)
  const missing = answer(null)
  return [
    ...(found ? [{ name: 'found', when: 'asked without a password: somebody', reply: found }] : []),
    ...(missing ? [{ name: 'not-found', when: 'asked without a password: nobody', reply: missing }] : []),
  ]
}

function admissionsOf(
  answer: Extract<Hook, { flow: 'registration' }>['answer'],
  question: RegistrationQuestion,
): Example[] {
  const field = question.names[0]?.field ?? 'login'
  return [
    {
      name: 'allowed',
      when: 'nobody unmigrated has this name',
      reply: answer({ kind: 'allowed', attributes: {} }, question),
    },
    {
      name: 'allowed-with-attributes',
      when: 'likewise, with attributes that the settings let go out',
      reply: answer({ kind: 'allowed', attributes: { given_name: 'Ann' } }, question),
    },
    {
      name: 'denied',
      when: 'an unmigrated legacy user has this name',
      reply: answer({ kind: 'denied', field }, question),
    },
  ]
}

function failuresOf(dialect: Dialect, hook: Hook, body: boolean): Example[] {
  return failures
    .filter((failure) => body || !failure.body)
    .map(({ code }) => {
      const failure = new Failure(code, code === 'bad-request' ? { fields: ['name.of.the.field'] } : {})
      return { name: code, when: failure.message, reply: dialect.failure(failure, hook) }
    })
}

/** By status; each says when it is answered, and shows the bodies. */
function responsesOf(examples: readonly Example[]): Record<string, Response> {
  const statuses = [...new Set(examples.map(({ reply }) => reply.status))].sort()
  return Object.fromEntries(
    statuses.map((status) => {
      const of = examples.filter(({ reply }) => reply.status === status)
      const description = [...new Set(of.map(({ when }) => when))].join('; ')
      const shown = of.flatMap(({ name, when, reply: { body } }) =>
        body === undefined ? [] : [[name, { summary: when, value: body }] as const],
      )
      if (shown.length === 0) return [status, { description: `${description}; without a body` }]
      const content = { schema: { type: 'object' }, examples: Object.fromEntries(shown) }
      return [status, { description, content: { 'application/json': content } }]
    }),
  )
}
