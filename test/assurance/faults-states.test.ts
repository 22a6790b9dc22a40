import { afterAll, beforeAll, expect, test } from 'vitest'
import { createChains } from '../../src/db/chains.ts'
import type { Database } from '../../src/db/client.ts'
import { confirmUsers, type Notice, outcomeRecorder, type ProposedOutcome } from '../../src/db/outcomes.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { openAsHooks, type TestDatabase, testDatabase } from '../helpers/db.ts'

const EVENTS = sized(4_000, 1_000_000)
const EVENTS_A_USER = 8
const USERS = EVENTS / EVENTS_A_USER
const LEGAL = ['unmigrated to verified', 'unmigrated to migrated', 'verified to migrated']

let db: TestDatabase
let database: Database
beforeAll(async () => {
  db = await testDatabase()
  database = openAsHooks(db.url, 4)
  await db.owner.query(
    `insert into legacy.users (id, login, email, cohort) select 'id' || n, 'u' || n, null, 'retail' from generate_series(0, $1 - 1) n`,
    [USERS],
  )
  // Every change of state is written down, by the database itself.
  await db.owner.query(`
    insert into carryover.users (user_id, cohort, scheme, usable) select id, cohort, 'bcrypt', true from legacy.users;
    insert into carryover.counts (cohort, scheme, unmigrated) select 'retail', 'bcrypt', count(*) from legacy.users;
    create table public.transitions (user_id text, change text);
    create function public.note() returns trigger language plpgsql as $$
    begin
      insert into public.transitions values (old.user_id, old.state || ' to ' || new.state);
      return null;
    end $$;
    create trigger note after update on carryover.users for each row when (old.state <> new.state)
      execute function public.note();
    analyze`)
})
afterAll(async () => {
  await database.end()
  await db.drop()
})

type Event =
  | { readonly user: number; readonly kind: 'match' | 'mismatch' }
  | { readonly user: number; readonly kind: 'stored' | 'not-stored'; readonly id: string }

/** Some of a user's events: each as likely as the others, and confirmations repeated under their own id. */
function eventsOf(user: number): Event[] {
  // One user in four is never confirmed, one in four never gets it right.
  const kinds = [
    ...(user % 4 === 0 ? (['match', 'not-stored'] as const) : (['stored', 'not-stored'] as const)),
    ...(user % 4 === 1 ? (['mismatch'] as const) : (['match', 'mismatch'] as const)),
  ]
  return Array.from({ length: EVENTS_A_USER }, () => {
    const kind = kinds[Math.floor(Math.random() * kinds.length)] ?? 'match'
    return kind === 'match' || kind === 'mismatch'
      ? { user, kind }
      : { user, kind, id: `${kind}-${user}-${Math.floor(Math.random() * 3)}` }
  })
}

function shuffled<Item>(items: Item[]): Item[] {
  for (let at = items.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1))
    ;[items[at], items[other]] = [items[other] as Item, items[at] as Item]
  }
  return items
}

const proposed = (user: number, verdict: 'match' | 'mismatch'): ProposedOutcome => ({
  dialect: 'okta',
  hook: 'h',
  name: null,
  user_id: `id${user}`,
  cohort: 'retail',
  scheme: 'bcrypt',
  usable: true,
  verdict,
  millis: 1,
  request_id: null,
})
const notice = (user: number, kind: 'stored' | 'not-stored', id: string): Notice => ({
  dialect: 'okta',
  hook: 'h',
  name: `u${user}`,
  result: kind,
  event_id: id,
})

const chains = createChains()

test(
  `events in random order leave every user in the state that they say, by legal steps`,
  allowed(60_000, 180_000),
  async () => {
    const record = outcomeRecorder(
      database,
      { limit: 1_000_000, overall: 1_000_000_000, windowSeconds: 900 },
      chains,
    )
    const later = () => performance.now() + 60_000
    let failures = 0
    /** As a provider does it: what was not answered is told again. */
    const untilDone = async (act: () => Promise<unknown>) => {
      for (;;) {
        try {
          return await act()
        } catch {
          failures += 1
        }
      }
    }
    // Windows of users whose events are all mixed, recorded and confirmed at the same time.
    const WINDOW = 500
    for (let from = 0; from < USERS; from += WINDOW) {
      const users = Array.from({ length: Math.min(WINDOW, USERS - from) }, (_, at) => from + at)
      const events = shuffled(users.flatMap(eventsOf))
      for (const { user, kind } of events) wanted.set(user, after(wanted.get(user), kind))
      const tasks: Promise<unknown>[] = []
      for (let at = 0; at < events.length; at += 200) {
        const some = events.slice(at, at + 200)
        const notices = some.flatMap((event) =>
          'id' in event ? [notice(event.user, event.kind, event.id)] : [],
        )
        for (let first = 0; first < notices.length; first += 100)
          tasks.push(untilDone(() => confirmUsers(database, notices.slice(first, first + 100), chains)))
        for (const event of some)
          if (!('id' in event)) tasks.push(untilDone(() => record(proposed(event.user, event.kind), later())))
        if (tasks.length > 400) await Promise.all(tasks.splice(0))
      }
      await Promise.all(tasks)
    }
    const steps = await db.owner.query<{ change: string; times: number }>(
      'select change, count(*)::int as times from public.transitions group by 1 order by 1',
    )
    const twice = await db.owner.query(
      'select user_id, change from public.transitions group by 1, 2 having count(*) > 1',
    )
    const { rows } = await db.owner.query<{ user_id: string; state: string }>(
      'select user_id, state from carryover.users',
    )
    const illegal = steps.rows.filter(({ change }) => !LEGAL.includes(change))
    const astray = rows.filter(({ user_id, state }) => wanted.get(Number(user_id.slice(2))) !== state)
    const counts = await db.owner.query(
      'select unmigrated::int, verified::int, migrated::int from carryover.counts',
    )
    measured({
      part: 'faults',
      requirement: 'R-77',
      what: `${EVENTS} events of ${USERS} users in random order, verdicts and confirmations at the same time`,
      wanted: '0 illegal steps, every user in the state that the events say',
      got: `${illegal.length} illegal steps, ${twice.rows.length} steps taken twice, ${astray.length} users astray (${steps.rows.map(({ change, times }) => `${change}: ${times}`).join(', ')}; ${failures} statements repeated)`,
    })
    expect(illegal).toEqual([])
    expect(twice.rows).toEqual([])
    expect(astray).toEqual([])
    expect(counts.rows).toEqual([
      Object.fromEntries(
        ['unmigrated', 'verified', 'migrated'].map((state) => [
          state,
          rows.filter((row) => row.state === state).length,
        ]),
      ),
    ])
    expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['unmigrated', 'verified', 'migrated']))
  },
)

const wanted = new Map<number, string>()

/** Whatever the order: who was ever stored is migrated, else who ever got it right is verified. */
function after(state = 'unmigrated', kind: Event['kind']): string {
  if (state === 'migrated' || kind === 'stored') return 'migrated'
  return kind === 'match' ? 'verified' : state
}

test(
  'every confirmation that arrives twice at the same moment is one',
  allowed(60_000, 300_000),
  async () => {
    const PAIRS = sized(500, 10_000)
    const other = openAsHooks(db.url, 4)
    const tally = new Map<string, number>()
    const tell = async (through: Database, from: number) => {
      const notices = Array.from({ length: 50 }, (_, at) =>
        notice((from + at) % USERS, 'not-stored', `twice-${from + at}`),
      )
      for (const result of await confirmUsers(through, notices, chains))
        tally.set(result, (tally.get(result) ?? 0) + 1)
    }
    for (let from = 0; from < PAIRS; from += 50) await Promise.all([tell(database, from), tell(other, from)])
    await other.end()
    const { rows } = await db.owner.query(
      `select count(*)::int as rows, count(distinct request_id)::int as events from carryover.outcomes where request_id like 'twice-%'`,
    )
    measured({
      part: 'faults',
      requirement: 'R-78',
      what: `${PAIRS} confirmations, each sent twice at the same moment over two pools`,
      wanted: `${PAIRS} rows`,
      got: `${rows[0].rows} rows of ${rows[0].events} events`,
    })
    expect(rows).toEqual([{ rows: PAIRS, events: PAIRS }])
    expect(tally).toEqual(
      new Map([
        ['not-stored', PAIRS],
        ['repeated', PAIRS],
      ]),
    )
  },
)
