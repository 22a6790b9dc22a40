import { z } from 'zod'
import { CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import { loginRadiusHash } from './loginradius-hash.ts'
import { expected, isRecord, JSON_BODY, jsonOf, keyShape, retryAfter } from './read-answer.ts'
import { refused } from './results.ts'
import { addressOf, wanted } from './settings.ts'
import {
  type Brought,
  type Candidate,
  type Context,
  type Finding,
  type Order,
  type ReasonCode,
  type Refused,
  type Result,
  RunHalt,
  type Target,
  type TargetKind,
  type TargetSettings,
  type TargetUse,
} from './target.ts'

/** https://www.loginradius.com/docs/tenant-management/platform-security/migration/self-serve-migration: 10 MB. */
const MOST_BYTES = 10_000_000

/** Of a request without users: braces, names and the settings of its hashes. */
const ENVELOPE_BYTES = 1_000

/** For "too many" without a word about when. */
const BUSY_WAIT_MS = 10_000

/** In ExternalIds: says that an account is ours, and whose. */
const SOURCE = 'carryover'

/** Members of a profile that are texts: `ProfileRequestModel` of https://github.com/LoginRadius/node-js-sdk. */
const TEXTS = new Set([
  ...['UserName', 'PhoneId', 'Gender', 'BirthDate', 'Prefix', 'FirstName', 'MiddleName', 'LastName'],
  ...['Suffix', 'NickName', 'ProfileName', 'FullName', 'About', 'Company', 'ImageUrl', 'TimeZone', 'Website'],
  ...['ProfileUrl', 'HomeTown', 'State', 'City', 'Industry', 'LocalLanguage', 'Language', 'MainAddress'],
  ...['Currency', 'RegistrationSource'],
])

const settings = {
  API_KEY: { purpose: 'The key of the app.', secret: true, required: true },
  API_SECRET: { purpose: 'Its secret.', secret: true, required: true },
  URL: { purpose: 'Address of the migration API.', default: 'https://migration.loginradius.com/v2' },
  ACCOUNT_URL: {
    purpose: 'Address of the API that looks accounts up and deletes them.',
    default: 'https://api.loginradius.com',
  },
} as const satisfies TargetKind['settings']

/**
 * LoginRadius: bulk upsert, with one kind of hash in a request, and the Account API where its answer does not say who was meant.
 * https://www.loginradius.com/docs/tenant-management/platform-security/migration/self-serve-migration
 * What is inferred is told apart in docs/provision-loginradius.md.
 */
export const loginradius: TargetKind = {
  name: 'loginradius',
  title: 'LoginRadius',
  settings,
  traits: {
    // Its just-in-time migration is advertised, and no contract of it is published.
    hook: false,
    reads: (hash) => loginRadiusHash(hash) !== null,
    replacesHash: true,
    updates: true,
    removes: ['deactivate', 'delete'],
    standard: {
      id: 'ExternalIds',
      login: 'UserName',
      email: 'Email',
      'profile.name': 'FullName',
      'profile.given_name': 'FirstName',
      'profile.middle_name': 'MiddleName',
      'profile.family_name': 'LastName',
      'profile.nickname': 'NickName',
      'profile.gender': 'Gender',
      'profile.phone_number': 'PhoneId',
      'profile.picture': 'ImageUrl',
      'profile.website': 'Website',
      'profile.zoneinfo': 'TimeZone',
    },
    attributes: [
      { name: 'Email', required: true, format: 'email', unique: true },
      { name: 'UserName', unique: true },
      { name: 'PhoneId', format: 'e164', unique: true },
    ],
    others: 'defined-beforehand',
    sameness: ['case'],
    // Whoever fails in a batch can cost a look at each of its users.
    batch: 100,
    callsPerBatch: 1,
    needs,
  },
  open,
}

function needs({ hash, attributes }: TargetUse): readonly string[] {
  const custom = attributes.filter((name) => !TEXTS.has(name) && name !== 'Email' && name !== 'ExternalIds')
  return [
    'Neither welcome mails nor webhooks start with an imported account.',
    ...(custom.length > 0 ? [`Custom fields are defined: ${custom.map(customName).join(', ')}.`] : []),
    ...(hash ? ['One user of each scheme has been brought and has signed in before the others follow.'] : []),
  ]
}

interface Opened {
  /** Holds both secrets: it must not be shown anywhere. */
  readonly bulkUrl: string
  readonly accounts: string
  readonly accountHeaders: Readonly<Record<string, string>>
  /** Whether the rows of a report are counted from 0 or from 1, once an answer has told. */
  rowsFrom?: 0 | 1
}

function open(given: TargetSettings): Target {
  const key = wanted(given, 'API_KEY')
  const secret = wanted(given, 'API_SECRET')
  const bulk = addressOf(given.URL ?? settings.URL.default)
  const accounts = addressOf(given.ACCOUNT_URL ?? settings.ACCOUNT_URL.default)
  const opened: Opened = {
    // The bulk call is documented with both in the query and in no other way.
    bulkUrl: `${bulk.base}/bulk/upsert?${new URLSearchParams({ apikey: key, apisecret: secret })}`,
    accounts: `${accounts.base}/identity/v2/manage/account`,
    accountHeaders: { 'x-loginradius-apikey': key, 'x-loginradius-apisecret': secret },
  }
  return {
    hosts: [...new Set([bulk.host, accounts.host])],
    authorize: async () => ({ headers: { accept: 'application/json' } }),
    inFlight: 2,
    examine: (context) => examine(opened, context),
    bring: (orders, context) => bring(orders, opened, context),
    // No limits are published: a wait when one is met.
    limitOf: (answer) => retryAfter(answer, [429], BUSY_WAIT_MS),
  }
}

/** A list without users changes nothing. */
async function examine(opened: Opened, context: Context): Promise<readonly Finding[]> {
  const answer = await post(opened, { Profiles: [] }, context)
  haltOn(answer)
  if (answer.status === 429 || answer.status >= 500) throw new CallFailure('unreachable')
  return []
}

function post(opened: Opened, body: unknown, context: Context): Promise<OutboundAnswer> {
  return context.call({
    method: 'POST',
    url: opened.bulkUrl,
    headers: JSON_BODY,
    body: JSON.stringify(body),
  })
}

/** A user as it is sent, with the place of the order. */
interface Entry {
  readonly place: number
  readonly order: Order
  readonly email: string
  readonly profile: Readonly<Record<string, unknown>>
  readonly bytes: number
  /** null: the user has no hash, or keeps the one that is there. */
  readonly encryption: Readonly<Record<string, unknown>> | null
}

async function bring(orders: readonly Order[], opened: Opened, context: Context): Promise<Brought> {
  const results: Result[] = orders.map(() => ({ kind: 'postponed', reason: 'no-answer' }))
  const entries: Entry[] = []
  for (const [place, order] of orders.entries()) {
    const prepared = entryOf(order, place)
    if ('kind' in prepared) results[place] = prepared
    else if (order.action === 'delete') results[place] = await remove(prepared, opened, context)
    else if (order.action === 'deactivate') results[place] = await disable(prepared, opened, context)
    else entries.push(prepared)
  }
  for (const request of requests(entries)) await send(request, results, opened, context)
  return { kind: 'each', results }
}

function entryOf(order: Order, place: number): Entry | Refused {
  const { user, action } = order
  const email = emailOf(user)
  if (email === null) return refused('missing-attribute')
  const { credential } = user
  if (credential.kind === 'hook') return refused('wrong-state', 'no-hook')
  const hash = credential.kind === 'hash' ? loginRadiusHash(credential.hash) : null
  if (credential.kind === 'hash' && hash === null) return refused('hash-refused')
  const profile = {
    ...profileOf(user, email),
    ...((action === 'deactivate' || !user.active) && { DisableLogin: true }),
    ...(action === 'update' && user.active && { DisableLogin: false }),
    ...(hash !== null && { PasswordHash: hash.text }),
  }
  const bytes = Buffer.byteLength(JSON.stringify(profile)) + 1
  if (bytes + ENVELOPE_BYTES > MOST_BYTES) return refused('too-large')
  return { place, order, email, profile, bytes, encryption: hash?.encryption ?? null }
}

function emailOf({ attributes, email }: Candidate): string | null {
  return typeof attributes.Email === 'string' && attributes.Email !== '' ? attributes.Email : email
}

function profileOf({ id, attributes }: Candidate, email: string): Readonly<Record<string, unknown>> {
  const texts: [string, unknown][] = []
  const custom: [string, string][] = []
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'Email' || name === 'ExternalIds' || value === null) continue
    if (TEXTS.has(name)) texts.push([name, value])
    // Custom fields are texts.
    else custom.push([customName(name), typeof value === 'string' ? value : JSON.stringify(value)])
  }
  const { UserName: userName, ...others }: Readonly<Record<string, unknown>> = Object.fromEntries(texts)
  return {
    Email: [{ Type: 'Primary', Value: email }],
    ExternalIds: [{ Source: SOURCE, SourceId: id }],
    ...others,
    ...(userName !== undefined && userName !== email && { UserName: userName }),
    ...(custom.length > 0 && { CustomFields: Object.fromEntries(custom) }),
  }
}

function customName(name: string): string {
  return name.startsWith('CustomFields.') ? name.slice('CustomFields.'.length) : name
}

/** Users of one kind of hash in each, and below the size of a request. */
function requests(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const byEncryption = new Map<string, Entry[]>()
  for (const entry of entries) {
    const key = JSON.stringify(entry.encryption)
    const same = byEncryption.get(key) ?? []
    same.push(entry)
    byEncryption.set(key, same)
  }
  return [...byEncryption.values()].flatMap(bySize)
}

function bySize(entries: readonly Entry[]): Entry[][] {
  const all: Entry[][] = []
  let bytes = 0
  for (const entry of entries) {
    const last = all.at(-1)
    if (last === undefined || bytes + entry.bytes > MOST_BYTES) {
      all.push([entry])
      bytes = ENVELOPE_BYTES + entry.bytes
    } else {
      last.push(entry)
      bytes += entry.bytes
    }
  }
  return all
}

/** Sends these users, and in halves when one of them spoils the request. */
async function send(
  entries: readonly Entry[],
  results: Result[],
  opened: Opened,
  context: Context,
): Promise<void> {
  const answer = await upsert(entries, opened, context)
  if (answer.status === 200)
    return settle(entries, expected(answer, reportShape).Profile, results, opened, context)
  const whole = postponed(answer)
  if (whole === null && entries.length > 1) {
    const half = Math.ceil(entries.length / 2)
    await send(entries.slice(0, half), results, opened, context)
    await send(entries.slice(half), results, opened, context)
    return
  }
  for (const { place } of entries) results[place] = whole ?? spoilt(answer)
}

function upsert(entries: readonly Entry[], opened: Opened, context: Context): Promise<OutboundAnswer> {
  const [first] = entries
  const overwrite = first?.order.action !== 'create'
  const encryption = first?.encryption ?? null
  return post(
    opened,
    {
      ...(encryption !== null && { PasswordEncryption: encryption }),
      Profiles: entries.map(({ profile }) => profile),
      // Whoever is there already is left as they are by a creation.
      DeltaMigrationModel: { DeltaMigration: overwrite, OverWriteDuplicate: overwrite },
    },
    context,
  )
}

const reportShape = z.object({
  Profile: z.object({
    RecordInserted: z.number().int().min(0),
    RecordUpdated: z.number().int().min(0),
    Failed: z.array(z.object({ RecordNumber: z.number().int().min(0), Message: z.string() })).nullish(),
  }),
})

type Report = z.infer<typeof reportShape>['Profile']

/** What became of each. The report counts, and names only the rows that failed. */
async function settle(
  entries: readonly Entry[],
  report: Report,
  results: Result[],
  opened: Opened,
  context: Context,
): Promise<void> {
  const failed = failuresOf(entries.length, report, opened)
  const told = failed === null ? 0 : failed.size
  for (const [row, entry] of entries.entries()) {
    const { place, order } = entry
    const message = failed?.get(row)
    if (order.action === 'create') {
      const allInserted = failed !== null && report.RecordInserted + told === entries.length
      results[place] =
        allInserted && message === undefined
          ? { kind: 'created', targetId: null }
          : await settleCreated(entry, message, entries.length, report, opened, context)
    } else {
      const allDone =
        failed !== null && report.RecordInserted + report.RecordUpdated + told === entries.length
      if (message !== undefined) results[place] = refused(reasonOf(message), 'Failed', message)
      else if (allDone) results[place] = { kind: 'updated', targetId: order.targetId }
      // An update can be sent again, and of one row nothing is left open.
      else if (entries.length > 1) await send([entry], results, opened, context)
      else results[place] = refused('rejected', 'not-counted')
    }
  }
}

/**
 * Messages by the place of the row, or null: it cannot be told who failed. Whether rows are counted from 0 or from 1 is not
 * documented. A row 0 tells, and so does one whose number is that of all rows; what has told once holds.
 */
function failuresOf(sent: number, { Failed }: Report, opened: Opened): ReadonlyMap<number, string> | null {
  const failed = Failed ?? []
  const [only] = failed
  if (only === undefined) return new Map()
  if (failed.some(({ RecordNumber }) => RecordNumber === 0)) opened.rowsFrom = 0
  else if (failed.some(({ RecordNumber }) => RecordNumber === sent)) opened.rowsFrom = 1
  if (sent === 1) return new Map([[0, only.Message]])
  const { rowsFrom } = opened
  if (rowsFrom === undefined) return null
  return new Map(failed.map(({ RecordNumber, Message }) => [RecordNumber - rowsFrom, Message]))
}

/** Looks the account up: whoever is there under our key was created by this try or an earlier one. */
async function settleCreated(
  entry: Entry,
  message: string | undefined,
  sent: number,
  report: Report,
  opened: Opened,
  context: Context,
): Promise<Result> {
  const found = await lookUp(entry, opened, context)
  switch (found.kind) {
    case 'ours': {
      const before = entry.order.attempts === 0 && report.RecordInserted === 0
      return { kind: before ? 'unchanged' : 'created', targetId: found.uid }
    }
    case 'theirs':
      return refused('taken', 'Failed', message ?? null)
    case 'failed':
      return found.result
    case 'nobody':
      if (message !== undefined) return refused(reasonOf(message), 'Failed', message)
      if (sent === 1) return refused('rejected', 'not-counted')
      return alone(entry, opened, context)
  }
}

/** One who is not there after a request with others: sent alone, the report can only mean them. */
async function alone(entry: Entry, opened: Opened, context: Context): Promise<Result> {
  const results: Result[] = []
  await send([{ ...entry, place: 0 }], results, opened, context)
  return results[0] ?? { kind: 'postponed', reason: 'no-answer' }
}

type Found =
  | { readonly kind: 'ours'; readonly uid: string }
  | { readonly kind: 'theirs' | 'nobody' }
  | { readonly kind: 'failed'; readonly result: Result }

const accountsShape = z.object({
  Data: z
    .array(
      z.object({
        Uid: keyShape,
        ExternalIds: z
          .array(z.object({ Source: z.string().nullish(), SourceId: z.string().nullish() }))
          .nullish(),
      }),
    )
    .nullish(),
})

/** Accounts with this address: `getIdentities` of https://github.com/LoginRadius/node-js-sdk (docs/apis/accounts.md). */
async function lookUp({ email, order }: Entry, opened: Opened, context: Context): Promise<Found> {
  const answer = await context.call({
    method: 'GET',
    url: `${opened.accounts}/identities?email=${encodeURIComponent(email)}`,
    headers: opened.accountHeaders,
  })
  if (isAbsent(answer)) return { kind: 'nobody' }
  if (answer.status !== 200) return { kind: 'failed', result: postponed(answer) ?? spoilt(answer) }
  const accounts = expected(answer, accountsShape).Data ?? []
  const ours = accounts.find(({ ExternalIds }) =>
    ExternalIds?.some(({ Source, SourceId }) => Source === SOURCE && SourceId === order.user.id),
  )
  if (ours !== undefined) return { kind: 'ours', uid: ours.Uid }
  return { kind: accounts.length > 0 ? 'theirs' : 'nobody' }
}

/** LoginRadius says that there is no such account with several statuses, and with words. */
function isAbsent(answer: OutboundAnswer): boolean {
  if (answer.status === 404) return true
  if (answer.status !== 400 && answer.status !== 403) return false
  return /not exist|n't exist|not found/i.test(failureOf(answer).text ?? '')
}

async function disable(entry: Entry, opened: Opened, context: Context): Promise<Result> {
  // An upsert would create whoever is not there.
  const found = await lookUp(entry, opened, context)
  switch (found.kind) {
    case 'nobody':
      return { kind: 'removed', targetId: null }
    case 'theirs':
      return refused('not-there')
    case 'failed':
      return found.result
    case 'ours': {
      const results: Result[] = []
      await send([{ ...entry, place: 0 }], results, opened, context)
      const [result] = results
      if (result?.kind === 'updated') return { kind: 'removed', targetId: found.uid }
      return result ?? { kind: 'postponed', reason: 'no-answer' }
    }
  }
}

async function remove(entry: Entry, opened: Opened, context: Context): Promise<Result> {
  const found = await lookUp(entry, opened, context)
  switch (found.kind) {
    case 'nobody':
      return { kind: 'removed', targetId: null }
    case 'theirs':
      return refused('not-there')
    case 'failed':
      return found.result
    case 'ours': {
      const answer = await context.call({
        method: 'DELETE',
        url: `${opened.accounts}/${encodeURIComponent(found.uid)}`,
        headers: opened.accountHeaders,
      })
      if (answer.status === 200 || isAbsent(answer)) return { kind: 'removed', targetId: found.uid }
      return postponed(answer) ?? spoilt(answer)
    }
  }
}

/** What is to be tried again, or null: it would fare no better. Throws RunHalt where nobody would. */
function postponed(answer: OutboundAnswer): Result | null {
  haltOn(answer)
  if (answer.status === 429 || answer.status === 503) return { kind: 'postponed', reason: 'busy' }
  return answer.status >= 500 ? { kind: 'postponed', reason: 'no-answer' } : null
}

function haltOn(answer: OutboundAnswer): void {
  const { code } = failureOf(answer)
  if (answer.status === 401 || answer.status === 403) throw new RunHalt('unauthorized', code)
  if (answer.status === 404) throw new RunHalt('not-found', code)
}

/** A refusal of one user. */
function spoilt(answer: OutboundAnswer): Refused {
  const { code, text } = failureOf(answer)
  return refused(answer.status === 413 ? 'too-large' : reasonOf(text), code, text)
}

/** LoginRadius gives sentences and no list of codes for rows. */
function reasonOf(text: string | null): ReasonCode {
  if (text === null) return 'rejected'
  if (/password|hash|encryption/i.test(text)) return 'hash-refused'
  if (/already|exist|duplicate/i.test(text)) return 'taken'
  if (/required|missing/i.test(text)) return 'missing-attribute'
  return /invalid|format|not valid/i.test(text) ? 'invalid-attribute' : 'rejected'
}

/** `{ErrorCode, Message, Description}`. */
function failureOf(answer: OutboundAnswer): { readonly code: string; readonly text: string | null } {
  const body = jsonOf(answer)
  const failure = isRecord(body) ? body : {}
  const words = [failure.Message, failure.Description].filter((part) => typeof part === 'string')
  return {
    code: typeof failure.ErrorCode === 'number' ? String(failure.ErrorCode) : String(answer.status),
    text: words.length > 0 ? words.join(' ') : null,
  }
}
