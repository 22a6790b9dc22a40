// How a provider's log is read into the ledger: what `serve` does by schedule and `reconcile` at once.
import { createHash } from 'node:crypto'
import type { OutboundSettings } from './config-targets.ts'
import type { Chains } from './db/chains.ts'
import type { Database } from './db/client.ts'
import { moveCursor, readCursor } from './db/cursors.ts'
import { confirmUsers } from './db/outcomes.ts'
import { confirm } from './hooks/confirm.ts'
import type { Call } from './outbound/call.ts'
import { createCaller } from './outbound/client.ts'
import { createPacer } from './provision/pace.ts'
import type { LedgerUser } from './reconcile/compare.ts'
import { type ReadTally, readLog } from './reconcile/read-log.ts'
import type { ConfirmationLog, LoggedPassword } from './targets/confirmations.ts'

/** What the record calls these confirmations. */
const HOOK = 'reconcile'

/** Percent of the provider's limits. The rest is for sign-ins and for whoever brings users at the same time. */
const SHARE = 50

export interface LogCaller {
  readonly call: Call
  close(): void
}

/** Calls with the log's own headers, at its pace. */
export function logCaller(log: ConfirmationLog, outbound: OutboundSettings, stop: AbortSignal): LogCaller {
  const caller = createCaller({ hosts: log.hosts, ...outbound })
  const pacer = createPacer({
    share: SHARE,
    inFlight: log.inFlight,
    limitOf: log.limitOf,
    now: () => performance.now(),
    today: Date.now,
    random: Math.random,
  })
  const paced = pacer.paced(caller, stop)
  return {
    call: (request) => paced({ ...request, headers: { ...log.headers, ...request.headers } }),
    close: caller.close,
  }
}

export interface Reading {
  readonly target: string
  readonly log: ConfirmationLog
  readonly database: Database
  readonly chains: Chains
  readonly sinceDays: number
}

/** Reads the log on from where it was left. */
export function readOn(
  { target, log, database, chains, sinceDays }: Reading,
  call: Call,
  stop: AbortSignal,
): Promise<ReadTally> {
  const cursor = `log ${target}`
  return readLog({
    log,
    call,
    position: () => readCursor(database, cursor),
    move: (from, to) => moveCursor(database, cursor, from, to),
    confirm: (passwords) => confirmAll({ target, database, chains }, passwords),
    since: new Date(Date.now() - sinceDays * 86_400_000),
    stop,
  })
}

/** Users whom the provider itself says to have a password of their own become migrated. Says how many were not before. */
export async function correctUsers(
  to: Pick<Reading, 'target' | 'database' | 'chains'>,
  users: readonly LedgerUser[],
): Promise<number> {
  const passwords = users.map(({ id, login }): LoggedPassword => {
    // The same correction again is the same entry.
    const digest = createHash('sha256').update(`${to.target} ${id}`).digest('hex')
    return { login, result: 'stored', eventId: `standing ${digest}` }
  })
  return (await confirmAll(to, passwords)).confirmed
}

async function confirmAll(
  { target, database, chains }: Pick<Reading, 'target' | 'database' | 'chains'>,
  passwords: readonly LoggedPassword[],
): Promise<ReadTally> {
  const notices = passwords.map((password) => ({ ...password, dialect: target, hook: HOOK }))
  const {
    confirmed,
    repeated,
    unknown,
    'not-stored': notStored,
  } = await confirm(notices, {
    confirm: (named) =>
      confirmUsers(
        database,
        named.map(({ dialect, hook, name, result, eventId }) => ({
          dialect,
          hook,
          name,
          result,
          event_id: eventId,
        })),
        chains,
      ),
  })
  return { confirmed, repeated, unknown, notStored }
}
