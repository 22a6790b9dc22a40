import { afterAll, beforeAll, expect, test } from 'vitest'
import { createChains } from '../../src/db/chains.ts'
import type { Database } from '../../src/db/client.ts'
import { outcomeRecorder, type ProposedOutcome } from '../../src/db/outcomes.ts'
import { openAsHooks, type TestDatabase, testDatabase } from '../helpers/db.ts'

// `record_outcomes` skips what a batch has no need of. Whatever it skips, the result is that of this plain model.

interface Listed {
  state: string
  readonly cohort: string
  readonly scheme: string
  readonly usable: boolean
  readonly deleted: boolean
}

type Verdict = ProposedOutcome['verdict']

const LIMIT = 4
/** Outcomes of a subject among which a request is looked for, and how often it may be repeated without being counted. */
const LAST = 20
const FREE = 2
const REFUSALS: readonly Verdict[] = ['mismatch', 'unknown-login', 'disabled', 'unusable-hash', 'migrated']

let db: TestDatabase
let database: Database
beforeAll(async () => {
  db = await testDatabase()
  database = openAsHooks(db.url, 1)
})
afterAll(async () => {
  await database.end()
  await db.drop()
})

function model(ledger: Map<string, Listed>) {
  const refusals = new Map<string, number>()
  const recorded: { user: string | null; verdict: string; request: string | null }[] = []
  const histories = new Map<string, { verdict: Verdict; request: string | null }[]>()
  const subjectOf = ({ user_id, name }: ProposedOutcome) => user_id ?? `login ${name?.trim().toLowerCase()}`

  const isRepeated = (outcome: ProposedOutcome): boolean => {
    const last = (histories.get(subjectOf(outcome)) ?? []).slice(-LAST)
    const same = last.filter(
      ({ verdict, request }) => request === outcome.request_id && REFUSALS.includes(verdict),
    )
    const told = outcome.once_per_request === true && outcome.request_id !== null
    return told && same.length >= 1 && same.length <= FREE
  }
  const judge = (outcome: ProposedOutcome, repeated: boolean): Verdict => {
    const refused = REFUSALS.includes(outcome.verdict)
    if (!refused && outcome.verdict !== 'match') return outcome.verdict
    const before = refusals.get(subjectOf(outcome)) ?? 0
    if (refused && !repeated) refusals.set(subjectOf(outcome), before + 1)
    return before >= LIMIT ? 'throttled' : outcome.verdict
  }
  const list = ({ user_id, cohort, scheme, usable }: ProposedOutcome) => {
    if (user_id === null || cohort === null || scheme === null || ledger.has(user_id)) return
    ledger.set(user_id, { state: 'unmigrated', cohort, scheme, usable, deleted: false })
  }
  const verify = (user: string | null) => {
    const listed = ledger.get(user ?? '')
    if (listed?.state === 'unmigrated' && !listed.deleted) listed.state = 'verified'
  }
  return {
    refusals,
    recorded,
    record: (batch: readonly ProposedOutcome[]): Verdict[] => {
      const repeated = batch.map(isRepeated)
      return batch.map((outcome, place) => {
        const verdict = judge(outcome, repeated[place] ?? false)
        list(outcome)
        if (verdict === 'match') verify(outcome.user_id)
        recorded.push({ user: outcome.user_id, verdict, request: outcome.request_id })
        const history = histories.get(subjectOf(outcome)) ?? []
        histories.set(subjectOf(outcome), [...history, { verdict, request: outcome.request_id }])
        return verdict
      })
    },
  }
}

/** Repeatable: the same seed, the same numbers. */
function dice(seed: number) {
  let state = seed
  return (sides: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

const userOf = (number: number) => ({
  user_id: `u${number}`,
  cohort: number % 3 === 0 ? 'staff' : 'retail',
  scheme: number % 5 === 0 ? 'unknown' : 'bcrypt',
  usable: number % 5 !== 0,
})
const nobody = { user_id: null, cohort: null, scheme: null, usable: false }

/** A batch of one kind or of all kinds: what the others would make necessary must not hide what one of them lacks. */
function batchOf(roll: (sides: number) => number, round: number): ProposedOutcome[] {
  const kind = roll(5)
  const users = roll(2) === 0 ? 40 : 400
  return Array.from({ length: [1, 2, 10, 100][roll(4)] ?? 1 }, (_, place) => {
    const common = {
      dialect: 'okta',
      hook: 'h',
      name: null,
      millis: place,
      // Many are asked again, in the same batch or in one of the next.
      request_id: roll(3) === 0 ? null : `r${Math.floor(round / 8)}-${roll(2) === 0 ? roll(3) : place}`,
      once_per_request: roll(4) > 0,
    }
    const user = userOf(roll(users))
    switch (kind < 4 ? kind : roll(4)) {
      case 0:
        return { ...common, ...user, verdict: 'match' }
      case 1:
        return { ...common, ...user, verdict: REFUSALS[roll(5)] ?? 'mismatch' }
      case 2:
        return {
          ...common,
          ...nobody,
          name: roll(2) === 0 ? ` Name${roll(9)}` : `name${roll(9)}`,
          verdict: 'unknown-login',
        }
      default:
        return {
          ...common,
          ...nobody,
          user_id: roll(2) === 0 ? user.user_id : null,
          name: 'x',
          verdict: 'denied',
        }
    }
  })
}

test.each([1, 2, 3])('120 batches of every kind leave what the model says (seed %d)', async (seed) => {
  const roll = dice(seed)
  const ledger = await listedUsers()
  const expected = model(ledger)
  const record = outcomeRecorder(
    database,
    { limit: LIMIT, overall: 1_000_000, windowSeconds: 900 },
    createChains(),
  )
  for (let round = 0; round < 120; round++) {
    const batch = batchOf(roll, round)
    const given = await Promise.all(batch.map((outcome) => record(outcome, performance.now() + 30_000)))
    expect(given, `batch ${round}`).toEqual(expected.record(batch))
    if (roll(8) === 0) {
      await db.owner.query(`update carryover.refusals set window_start = window_start - interval '901 s'`)
      expected.refusals.clear()
    }
  }
  expect(await recordedOutcomes()).toEqual(expected.recorded)
  expect(await readLedger()).toEqual(ledger)
  expect(await wrongCounts()).toEqual([])
  const { rows } = await db.owner.query(
    `select refusals from carryover.refusals where window_start > now() - interval '900 s' order by 1`,
  )
  expect(rows.map(({ refusals }) => refusals)).toEqual([...expected.refusals.values()].sort((a, b) => a - b))
})

/** A third of the users in every state, a few deleted; the others are not in the ledger yet. */
async function listedUsers(): Promise<Map<string, Listed>> {
  await emptyTables()
  const rows = Array.from({ length: 200 }, (_, number) => ({
    ...userOf(number),
    state: ['unmigrated', 'verified', 'migrated'][number % 3],
    deleted: number % 11 === 0,
  }))
  await db.owner.query(
    `insert into carryover.users (user_id, state, cohort, scheme, usable, deleted_at)
    select user_id, state, cohort, scheme, usable, case when deleted then now() end
    from jsonb_to_recordset($1) as u (user_id text, state text, cohort text, scheme text, usable boolean, deleted boolean)`,
    [JSON.stringify(rows)],
  )
  await db.owner.query(
    `insert into carryover.counts select * from (${COUNTED}) c (cohort, scheme, unmigrated, verified, migrated, unverifiable)`,
  )
  return readLedger()
}

async function emptyTables(): Promise<void> {
  await db.owner.query(`
    alter table carryover.outcomes disable trigger append_only;
    truncate legacy.users, carryover.users, carryover.outcomes, carryover.counts, carryover.refusals;
    alter table carryover.outcomes enable trigger append_only`)
}

const COUNTED = `select cohort, scheme, count(*) filter (where state = 'unmigrated'), count(*) filter (where state = 'verified'),
    count(*) filter (where state = 'migrated'), count(*) filter (where state = 'unmigrated' and not usable)
  from carryover.users where deleted_at is null group by 1, 2`

async function wrongCounts() {
  return (
    await db.owner.query(
      `(table carryover.counts except ${COUNTED}) union (${COUNTED} except table carryover.counts)`,
    )
  ).rows
}

async function readLedger(): Promise<Map<string, Listed>> {
  const { rows } = await db.owner.query<Listed & { user_id: string }>(
    `select user_id, state, cohort, scheme, usable, deleted_at is not null as deleted from carryover.users`,
  )
  return new Map(rows.map(({ user_id, ...listed }) => [user_id, listed]))
}

async function recordedOutcomes() {
  const { rows } = await db.owner.query(
    'select user_id as "user", verdict, request_id as request from carryover.outcomes order by id',
  )
  return rows
}

test('a plan that was made while the tables were empty still looks up by index when they have grown', async () => {
  await emptyTables()
  await db.owner.query('vacuum analyze carryover.users, carryover.refusals, legacy.users')
  const proposed = JSON.stringify(
    (['match', 'mismatch', 'match', 'match', 'unknown-login'] as const).map((verdict, at) => ({
      dialect: 'okta',
      hook: 'h',
      ...(verdict === 'unknown-login' ? { ...nobody, name: 'x' } : userOf(19_998 + at)),
      verdict,
      millis: 1,
      request_id: 'r',
      once_per_request: true,
    })),
  )
  const use = async () => {
    await db.owner.query(
      `select carryover.record_outcomes($1, 10, '900 s', 1000000, '00000000-0000-0000-0000-000000000000', 0)`,
      [proposed],
    )
    await db.owner.query(
      `select * from carryover.find_users(array['u19999', 'e100', 'nobody', null], '900 s')`,
    )
  }
  await db.owner.query('begin')
  await use()
  await db.owner.query('rollback')
  await db.owner.query(`
    insert into legacy.users (id, login, email) select 'u' || n, 'u' || n, 'e' || n from generate_series(1, 20000) n;
    insert into carryover.users (user_id, cohort, scheme, usable) select 'u' || n, 'retail', 'bcrypt', true from generate_series(1, 20000) n;
    insert into carryover.refusals select 'user:u' || n, now(), 1 from generate_series(1, 20000) n;
    insert into carryover.outcomes (dialect, hook, user_id, login_digest, verdict, millis, request_id, chain, place, link)
      select 'okta', 'h', case when n % 2 = 0 then 'u' || n end, case when n % 2 = 1 then sha256(n::text::bytea) end, 'mismatch', 1, 'r', 0, n, ''
      from generate_series(1, 40000) n`)
  const rowsRead = async () =>
    (
      await db.owner.query(
        `select sum(seq_tup_read + idx_tup_fetch)::int as read from pg_stat_xact_user_tables
        where relid in ('legacy.users'::regclass, 'carryover.users'::regclass, 'carryover.refusals'::regclass,
          'carryover.outcomes'::regclass)`,
      )
    ).rows[0].read
  await db.owner.query('begin')
  const before = await rowsRead()
  await use()
  const after = await rowsRead()
  await db.owner.query('rollback')
  expect(after - before).toBeLessThan(60)
})
