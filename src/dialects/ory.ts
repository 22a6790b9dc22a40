import { z } from 'zod'
import type { Admission, Verdict } from '../domain.ts'
import type { Failure } from '../errors.ts'
import { type ClaimNames, translateClaims } from './claims.ts'
import type {
  AttemptHook,
  AttemptQuestion,
  Dialect,
  OwnSettings,
  RegistrationHook,
  RegistrationQuestion,
  Reply,
  RequestLine,
} from './dialect.ts'

/** The attributes of an identity, in the shape of a JSON Schema of the operator's own. */
type Traits = Readonly<Record<string, unknown>>

/** Of a trait: `email`, or `name.first` for one inside another. */
const PATH = '[\\w-]+(?:\\.[\\w-]+)*'

const settings = {
  NAME_TRAITS: {
    default: 'email,username',
    purpose:
      'Comma-separated traits that hold a login or an e-mail address at a registration. `a.b` is the trait `b` inside `a`.',
    fits: new RegExp(`^${PATH}(?:, *${PATH})*$`),
    expected: 'a comma-separated list of traits such as email,username,contact.email',
  },
  TRAIT_NAMES: {
    default: '',
    purpose:
      'Comma-separated CLAIM=TRAIT: under which trait a claim or attribute is added to a registration, as in `given_name=name.first`. The others keep their names.',
    fits: new RegExp(`^(?:[\\w-]+=${PATH}(?:, *[\\w-]+=${PATH})*)?$`),
    expected: 'a comma-separated list of CLAIM=TRAIT',
  },
}

/**
 * Ory Kratos and Ory Network: password migration hook, and the parsing web_hook after a registration.
 * github.com/ory/kratos: selfservice/hook/password_migration_hook.go, selfservice/hook/web_hook.go
 */
export const ory: Dialect = {
  name: 'ory',
  title: 'Ory',
  returnsProfile: false,
  // Kratos waits 30 s and tries three times. Whatever takes longer than this will not be better for waiting, and the person
  // in front of the form has three tries to sit through.
  answerWithin: 10_000,
  confirms: false,
  // Ory-Webhook-Trigger-ID.
  oncePerRequest: true,
  settings,
  hooks: (own) => [passwordMigration(), registration(own)],
  failure,
}

function passwordMigration(): AttemptHook {
  return {
    flow: 'attempt',
    name: 'password-migration',
    method: 'POST',
    path: '/ory/password-migration',
    // What a Jsonnet of the operator's own sends besides is let be. `identifier` is what was typed.
    schema: z
      .object({ identifier: z.string(), password: z.string() })
      .transform(
        ({ identifier, password }): AttemptQuestion => ({ login: identifier, password, requestId: null }),
      ),
    example: { identifier: 'ann@example.com', password: 'what she typed' },
    complete: (question, line) => ({ ...question, requestId: triggerId(line) ?? tryId(line) }),
    answer: answerAttempt,
  }
}

/** The same over the three tries of one call, unless `emit_analytics_event` is false. */
function triggerId({ header }: RequestLine): string | null {
  return header('ory-webhook-trigger-id') ?? null
}

/** All that Kratos 1.3 sends: another one for each try. */
function tryId({ header }: RequestLine): string | null {
  return header('ory-webhook-request-id') ?? null
}

/** Both the status and the word make a yes; 403 is the one refusal that is not shown as a broken upstream. */
function answerAttempt(verdict: Verdict): Reply {
  switch (verdict.kind) {
    case 'match':
      return { status: 200, body: { status: 'password_match' } }
    case 'mismatch':
    case 'unknown-login':
    case 'disabled':
    case 'throttled':
    case 'unusable-hash':
    case 'migrated':
      return { status: 403, body: {} }
  }
}

/** What the documented Jsonnet sends: `{ traits: ctx.identity.traits, flow_id: ctx.flow.id }`. */
function registration(own: OwnSettings): RegistrationHook {
  const nameTraits = listOf(own.NAME_TRAITS ?? settings.NAME_TRAITS.default)
  const traitNames: ClaimNames = Object.fromEntries(
    listOf(own.TRAIT_NAMES ?? settings.TRAIT_NAMES.default).map((pair) => pair.split('=')),
  )
  const envelope = z.object({
    traits: z.record(z.string(), z.unknown()),
    flow_id: z.string().nullish().catch(undefined),
  })
  return {
    flow: 'registration',
    name: 'registration',
    method: 'POST',
    path: '/ory/registration',
    schema: envelope.transform(
      ({ traits, flow_id }): RegistrationQuestion => ({
        kind: 'new',
        names: namesInTraits(traits, nameTraits),
        given: Object.keys(traits),
        sent: traits,
        self: null,
        requestId: flow_id ?? null,
      }),
    ),
    example: { traits: { email: 'ann@example.com', username: 'ann' }, flow_id: 'flow-1' },
    complete: (question, line) => ({
      ...question,
      requestId: triggerId(line) ?? question.requestId ?? tryId(line),
    }),
    answer: (admission, { sent = {} }) => answerRegistration(admission, sent, traitNames, nameTraits),
  }
}

function listOf(text: string): string[] {
  return text === '' ? [] : text.split(/, */)
}

function answerRegistration(
  admission: Admission,
  sent: Traits,
  traitNames: ClaimNames,
  nameTraits: readonly string[],
): Reply {
  if (admission.kind === 'denied') return denied(admission.field)
  const added = translateClaims(admission.attributes, traitNames, nameTraits)
  const traits = Object.entries(added).reduce(
    (all, [path, value]) => addTrait(all, path.split('.'), value),
    sent,
  )
  // The traits of an answer take the place of all that were sent, so those are repeated, or nothing is said.
  return traits === sent ? { status: 204 } : { status: 200, body: { identity: { traits } } }
}

/**
 * Interrupts the registration and puts the text beside the field. Ids of Kratos' own messages have seven digits, and forms
 * replace their texts by a translation.
 */
function denied(field: string): Reply {
  const text = 'An account already exists. Please sign in with the password that you have used before.'
  const message = { id: 409, text, type: 'error', context: { reason: 'ALREADY_REGISTERED' } }
  return {
    status: 409,
    body: { messages: [{ instance_ptr: `#/traits/${field.replaceAll('.', '/')}`, messages: [message] }] },
  }
}

/**
 * Kratos reads a failure's status alone: it tries 429 and 503 again and shows the others, and what is left of those, as an
 * error of the upstream. Neither the key `status`, which a yes has, nor `messages`, which a refusal has, is in the body.
 */
function failure({ status, message, fields }: Failure): Reply {
  return { status, body: { title: message, ...(fields.length > 0 && { fields }) } }
}

/** The texts that stand at these paths, such as `email` or `contact.email`. What is missing or empty is left out. */
function namesInTraits(traits: Traits, paths: readonly string[]): { field: string; value: string }[] {
  return paths.flatMap((field) => {
    const value = field.split('.').reduce<unknown>(memberOf, traits)
    return typeof value === 'string' && value.trim() !== '' ? [{ field, value }] : []
  })
}

/** The traits with one more, or the same object where something stands there already, or in the way. */
function addTrait(traits: Traits, [name = '', ...inner]: readonly string[], value: unknown): Traits {
  const before = memberOf(traits, name)
  const empty = before === undefined || before === null || before === ''
  if (inner.length === 0) return empty ? { ...traits, [name]: value } : traits
  const parent = empty ? {} : before
  if (!isTraits(parent)) return traits
  const after = addTrait(parent, inner, value)
  return after === parent ? traits : { ...traits, [name]: after }
}

function memberOf(value: unknown, name: string): unknown {
  return isTraits(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

function isTraits(value: unknown): value is Traits {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
