import { z } from 'zod'
import { type Call, CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import {
  type ConfirmationKind,
  type ConfirmationLog,
  type LoggedPassword,
  type LogPage,
  LogPositionError,
  type Standing,
} from './confirmations.ts'
import { limitOf, schemeOf } from './okta-api.ts'
import { expected } from './read-answer.ts'
import { RunHalt, TargetError } from './target.ts'

/** What Okta's System Log has of one entry, as far as it is used. An entry of another shape is about something else. */
const entry = z.object({
  uuid: z.string().min(1).max(256),
  eventType: z.string(),
  outcome: z.object({ result: z.string() }).nullish(),
  target: z.array(z.object({ type: z.string(), alternateId: z.string().nullish() })).nullish(),
})

const user = z.object({
  status: z.string(),
  credentials: z.object({ provider: z.object({ type: z.string() }).optional() }).optional(),
})

/**
 * Entries that settle whose password counts: it was imported, or set in Okta, which makes the old one obsolete just as well.
 * https://developer.okta.com/docs/reference/api/event-types/
 */
const EVENT_TYPES = ['user.import.password', 'user.account.update_password', 'user.account.reset_password']

/** The most that Okta gives at once. https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/ */
const PAGE = 1_000

/** Accounts of which the provider type says whether they have a password of their own. */
const WITH_PASSWORD: ReadonlySet<string> = new Set([
  'ACTIVE',
  'PASSWORD_EXPIRED',
  'LOCKED_OUT',
  'SUSPENDED',
  'DEPROVISIONED',
])

/** Okta's System Log, and `credentials.provider` of single users. The token needs to read logs and users, nothing else. */
export const oktaConfirmations: ConfirmationKind = {
  settings: {
    URL: { purpose: 'Address of the organization, as `https://example.okta.com`.', required: true },
    TOKEN: {
      purpose:
        'API token of a read-only administrator, or an access token with `okta.logs.read okta.users.read`.',
      secret: true,
      required: true,
    },
    TOKEN_TYPE: { purpose: '`ssws` for an API token, `bearer` for an access token.', default: 'ssws' },
  },
  open: ({ URL: address = '', TOKEN: token = '', TOKEN_TYPE: type = 'ssws' }) => {
    return openLog(originOf(address), `${schemeOf(type)} ${token}`)
  },
}

function originOf(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol !== 'https:' || !/^\/?$/.test(url.pathname) || url.search !== '' || url.username !== '')
    throw new TargetError('URL is not an https address without path')
  return url
}

function openLog({ origin, host }: URL, authorization: string): ConfirmationLog {
  return {
    hosts: [host],
    inFlight: 4,
    headers: { authorization, accept: 'application/json' },
    limitOf,
    read: (call, position, since) => read(call, `${origin}/api/v1/logs`, position ?? firstPage(since)),
    standing: async (call, { targetId, login }) => {
      const url = `${origin}/api/v1/users/${encodeURIComponent(targetId ?? login)}`
      const answer = await call({ method: 'GET', url })
      if (answer.status === 404) return 'absent'
      requireOk(answer)
      return standingIn(expected(answer, user))
    },
  }
}

/** Oldest first and without an end: such a query always has a next page, which fills as time goes on. */
function firstPage(since: Date): string {
  const filter = EVENT_TYPES.map((type) => `eventType eq "${type}"`).join(' or ')
  return `?${new URLSearchParams({ since: since.toISOString(), sortOrder: 'ASCENDING', limit: String(PAGE), filter })}`
}

async function read(call: Call, address: string, position: string): Promise<LogPage> {
  const answer = await call({ method: 'GET', url: address + position })
  // A position that is too old, or of another query.
  if (answer.status === 400) throw new LogPositionError('the position is not known any more')
  requireOk(answer)
  const entries = expected(answer, z.array(z.unknown()))
  return {
    passwords: entries.flatMap(passwordIn),
    position: nextOf(answer.headers.link ?? '', address) ?? position,
    more: entries.length >= PAGE,
  }
}

function passwordIn(value: unknown): LoggedPassword[] {
  const { data } = entry.safeParse(value)
  const login = data?.target?.find(({ type }) => type === 'User')?.alternateId
  const result = data && resultOf(data.eventType, data.outcome?.result)
  return data === undefined || !login || result === undefined ? [] : [{ login, result, eventId: data.uuid }]
}

function resultOf(eventType: string, outcome: string | undefined): LoggedPassword['result'] | undefined {
  if (!EVENT_TYPES.includes(eventType)) return undefined
  if (outcome === 'SUCCESS') return 'stored'
  return outcome === 'FAILURE' && eventType === 'user.import.password' ? 'not-stored' : undefined
}

/** The query of `Link: <…>; rel="next"`, of the same address and nowhere else. */
function nextOf(link: string, address: string): string | undefined {
  for (const [, url = '', parameters = ''] of link.matchAll(/<([^<>]{1,2048})>([^<]{0,200})/g)) {
    if (!/;\s*rel="?next"?/.test(parameters)) continue
    if (!url.startsWith(`${address}?`)) throw new CallFailure('malformed')
    return url.slice(address.length)
  }
  return undefined
}

/**
 * `IMPORT`: a hash or a hook that nobody has signed in with. `OKTA` says something only of accounts that can have a password: one
 * that was made without any has this type as well.
 */
function standingIn({ status, credentials }: z.infer<typeof user>): Standing {
  if (credentials?.provider?.type === 'IMPORT') return 'asks-us'
  return credentials?.provider?.type === 'OKTA' && WITH_PASSWORD.has(status) ? 'own-password' : 'unclear'
}

function requireOk({ status }: OutboundAnswer): void {
  if (status === 200) return
  if (status === 401 || status === 403) throw new RunHalt('unauthorized', String(status))
  if (status === 404) throw new RunHalt('not-found', '404')
  throw new CallFailure('malformed')
}
