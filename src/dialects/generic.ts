import { z } from 'zod'
import type { LegacyUser, Verdict } from '../domain.ts'
import type { Failure } from '../errors.ts'
import { emailOf, emailVerified } from './claims.ts'
import type { AttemptHook, AttemptQuestion, Dialect, OwnSettings, Reply } from './dialect.ts'

const question = z.discriminatedUnion('purpose', [
  z.object({
    purpose: z.literal('login').default('login'),
    identifier: z.string(),
    password: z.string(),
    requestId: z.string().optional().catch(undefined),
  }),
  z.object({
    purpose: z.literal('lookup'),
    identifier: z.string(),
    // Whoever sends a password means a sign-in, and must not take "found" for an answer to it.
    password: z.null().optional(),
    requestId: z.string().optional().catch(undefined),
  }),
])

/**
 * For providers that run a script at the sign-in, and for anything else that can send JSON. The contract is our own.
 */
export const generic: Dialect = {
  name: 'generic',
  title: 'a script (Auth0, Amazon Cognito, OneLogin, Logto and others)',
  returnsProfile: true,
  // The strictest of those that run scripts, Cognito, waits 5 s for script and answer together.
  answerWithin: 2_400,
  confirms: false,
  settings: {
    REFUSAL_REASONS: {
      purpose:
        'Whether a no says why: `unknown_user` and `disabled` beside `wrong_password`. Whoever can have passwords checked then finds out who exists, unless the script uses the same words for all.',
      default: 'off',
      fits: /^(off|on)$/,
      expected: 'one of off, on',
    },
  },
  hooks: (own) => [verify(own)],
  failure,
}

function verify(own: OwnSettings): AttemptHook {
  return {
    flow: 'attempt',
    name: 'verify',
    method: 'POST',
    path: '/verify',
    schema: question.transform(
      ({ identifier, password, requestId }): AttemptQuestion => ({
        login: identifier,
        password: password ?? null,
        requestId: requestId ?? null,
      }),
    ),
    example: {
      purpose: 'login',
      identifier: 'ann@example.com',
      password: 'what she typed',
      requestId: 'request-1',
    },
    answer: (verdict) => answer(verdict, own.REFUSAL_REASONS === 'on'),
    found: (user) =>
      said(user === null ? { verdict: 'unknown_user' } : { verdict: 'found', user: userOf(user) }),
  }
}

function answer(verdict: Verdict, reasons: boolean): Reply {
  switch (verdict.kind) {
    case 'match':
      return said({ verdict: 'match', mustReset: false, user: userOf(verdict.user) })
    case 'mismatch':
    case 'throttled':
    case 'unusable-hash':
    case 'migrated':
      return said({ verdict: 'wrong_password' })
    case 'unknown-login':
      return said({ verdict: reasons ? 'unknown_user' : 'wrong_password' })
    case 'disabled':
      return said({ verdict: reasons ? 'disabled' : 'wrong_password' })
  }
}

/** The claims under their names of OpenID Connect, beside what every user has. */
function userOf(user: LegacyUser): Readonly<Record<string, unknown>> {
  const { id, login, status, profile } = user
  return { ...profile, id, login, email: emailOf(user), email_verified: emailVerified(user), status }
}

function said(body: Readonly<Record<string, unknown>>): Reply {
  return { status: 200, body }
}

/** A verdict has status 200; anything else is none. */
function failure({ status, message, fields }: Failure): Reply {
  return { status, body: { status, title: message, ...(fields.length > 0 && { fields }) } }
}
