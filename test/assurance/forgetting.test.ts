import { afterEach, beforeEach, expect, test } from 'vitest'
import { createChains } from '../../src/db/chains.ts'
import { type Database, openDatabase } from '../../src/db/client.ts'
import { confirmUsers, outcomeRecorder, type ProposedOutcome } from '../../src/db/outcomes.ts'
import { purgeMigrated, purgeVerified } from '../../src/db/purge.ts'
import { syncLedger } from '../../src/db/sync.ts'
import { userFinder } from '../../src/db/users.ts'
import { hashContextOf } from '../../src/hash-context.ts'
import { classify } from '../../src/hashes/classify.ts'
import { eraseNow } from '../forget/helpers.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { openAsHooks, type TestDatabase, testDatabase } from '../helpers/db.ts'
import { seeded } from '../helpers/random.ts'
import { md5 } from '../helpers/users.ts'
import { disagreements, runLoad, scratch } from '../load/helpers.ts'

// Whatever happens in whatever order: who is unmigrated keeps the hash that the newest file has, who was purged never has
// one again, who was erased is nowhere, and the counts are exact. A plain model says what must be in the database.

interface Person {
  hash: string | null
  state: 'unmigrated' | 'verified' | 'migrated'
  cohort: string
  present: boolean
  deleted: boolean
  purged: boolean
}

const RUNS = sized(1, 40)
const STEPS = sized(40, 120)
const PEOPLE = 25
const CONTEXT = hashContextOf({
  recipes: '',
  secrets: new Map(),
  plaintext: false,
  candidates: '',
  memory: 2 ** 29,
  hardening: { kibibytes: 19_456, passes: 2, lanes: 1 },
  forms: ['as-sent'],
})

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
let hooks: Database
let owner: Database
beforeEach(async () => {
  db = await testDatabase()
  files = await scratch()
  hooks = openAsHooks(db.url, 4)
  owner = openDatabase({
    connectionString: db.url,
    applicationName: 'test',
    max: 4,
    min: 0,
    patient: true,
    onLost: () => {},
  })
})
afterEach(async () => {
  await hooks.end()
  await owner.end()
  await db.drop()
  await files.remove()
})

function world(random: () => number) {
  const known = new Map<string, Person>()
  const erased = new Set<string>()
  const versions = new Map<string, number>()
  const below = (most: number) => Math.floor(random() * most)
  const ids = Array.from({ length: PEOPLE }, (_, at) => `p${at}`)
  const someone = () => ids[below(PEOPLE)] ?? 'p0'
  const some = (share: number) => ids.filter(() => random() < share)
  const loginOf = (id: string) => `${id}@example.com`
  const found = (id: string) => {
    const person = known.get(id)
    return person?.present && !person.deleted ? person : undefined
  }
  const throttle = { limit: 1_000, overall: 1_000_000, windowSeconds: 900 }
  const chains = createChains()
  const find = userFinder(hooks, throttle)
  const record = outcomeRecorder(hooks, throttle, chains)
  let events = 0

  const signIn = async (id: string) => {
    const deadline = performance.now() + 60_000
    const { user } = await find(loginOf(id), deadline)
    const person = found(id)
    expect(user?.id, 'found').toBe(person === undefined ? undefined : id)
    expect(user?.hash.encoded ?? null, 'the stored hash').toBe(person?.hash ?? null)
    const outcome: ProposedOutcome = {
      dialect: 'okta',
      hook: 'password-import',
      name: user === null ? loginOf(id) : null,
      user_id: user?.id ?? null,
      cohort: user?.cohort ?? null,
      scheme: user === null ? null : classify(user.hash, CONTEXT).scheme,
      usable: user !== null && classify(user.hash, CONTEXT).usable,
      verdict: user === null ? 'unknown-login' : user.hash.encoded === null ? 'unusable-hash' : 'match',
      millis: 1,
      request_id: null,
    }
    await record(outcome, deadline)
    if (person?.hash != null && person.state === 'unmigrated') person.state = 'verified'
  }

  const confirm = async (id: string) => {
    await confirmUsers(
      hooks,
      [
        {
          dialect: 'okta',
          hook: 'events',
          name: loginOf(id),
          result: 'stored',
          event_id: `event-${++events}`,
        },
      ],
      chains,
    )
    const person = found(id)
    if (person) person.state = 'migrated'
  }

  /** Older and newer files: of each id one of the versions there have been, or a new one. */
  const load = async (share = 0.5, when: 'alone' | 'beside a purge' = 'alone') => {
    const rows = some(share).map((id) => {
      const newest = (versions.get(id) ?? 0) + (random() < 0.5 ? 1 : 0)
      versions.set(id, newest)
      return {
        id,
        hash: random() < 0.1 ? null : md5(`${id} ${below(newest + 1)}`),
        cohort: random() < 0.5 ? 'retail' : 'staff',
        deleted: random() < 0.04,
      }
    })
    const lines = rows.map(
      ({ id, hash, cohort, deleted }) => `${id},${loginOf(id)},${hash ?? ''},md5,${cohort},${deleted}`,
    )
    const path = await files.file(
      'users.csv',
      ['id,login,password_hash,hash_scheme,cohort,deleted', ...lines, ''].join('\n'),
    )
    const { summary } = await runLoad(db.url, path)
    let refused = 0
    let keptPurged = 0
    for (const { id, hash, cohort, deleted } of rows) {
      const person = known.get(id)
      if (erased.has(id)) {
        refused += deleted ? 0 : 1
      } else if (deleted) {
        if (person) Object.assign(person, { present: false, deleted: true })
        else
          known.set(id, {
            hash: null,
            state: 'unmigrated',
            cohort,
            present: false,
            deleted: true,
            purged: false,
          })
      } else if (person?.deleted) {
        refused++
      } else if (person) {
        Object.assign(person, { present: true, cohort, hash: person.purged ? null : hash })
        keptPurged += person.purged ? 1 : 0
      } else {
        known.set(id, { hash, state: 'unmigrated', cohort, present: true, deleted: false, purged: false })
      }
    }
    expect(summary, 'the summary of the load').toMatchObject({
      refused,
      // A purge beside it may have come first.
      ...(when === 'alone' && { keptPurged }),
    })
  }

  const forget = (state: Person['state']) => {
    for (const person of known.values())
      if (person.state === state && !person.deleted && !person.purged)
        Object.assign(person, { purged: true, hash: null })
  }
  const purge = async () => {
    while ((await purgeMigrated(owner, 0, 3)) > 0);
    forget('migrated')
  }
  const purgeUnconfirmed = async () => {
    await purgeVerified(owner, new Date(Date.now() + 60_000), null, 1_000)
    forget('verified')
  }
  const purgeNobody = async () => {
    expect(await purgeMigrated(owner, 3_600, 1_000)).toBe(0)
    expect(await purgeVerified(owner, new Date(Date.now() - 3_600_000), null, 1_000)).toMatchObject({
      users: 0,
    })
  }
  const erase = async () => {
    const id = someone()
    const isKnown = known.has(id)
    expect((await eraseNow(db.url, id)).kind === 'erased').toBe(isKnown)
    known.delete(id)
    if (isKnown) erased.add(id)
  }
  /** Others write what was forgotten back into the table; sync finds it. */
  const meddle = async () => {
    const [gone] = erased
    await db.owner.query(`update legacy.users l set password_hash = 'back' from carryover.users u
      where u.user_id = l.id and u.purged_at is not null`)
    if (gone !== undefined)
      await db.owner.query('insert into legacy.users (id, login) values ($1, $2)', [gone, loginOf(gone)])
    const purged = [...known.values()].filter((person) => person.present && person.purged).length
    expect(
      await syncLedger(db.url, {
        classify: (stored) => classify(stored, CONTEXT),
        progress: () => {},
        stop: new AbortController().signal,
      }),
    ).toMatchObject({ purgedAgain: purged, erasedAgain: gone === undefined ? 0 : 1 })
  }
  /** At the same moment, and in an order that nobody knows, which makes no difference. */
  const together = async () => {
    const loading = load(0.5, 'beside a purge')
    const purging = purge().catch((error: unknown) =>
      expect(error, 'while a load holds the copy').toMatchObject({ detail: '55P03' }),
    )
    await Promise.all([loading, purging])
    await purge()
    await Promise.all([purge(), purge(), ...some(0.3).map(signIn)])
  }

  const steps: readonly (readonly [number, () => Promise<unknown>])[] = [
    [30, () => Promise.all(some(0.2).map(signIn))],
    [20, () => confirm(someone())],
    [15, () => load()],
    [8, purge],
    [2, purgeUnconfirmed],
    [3, purgeNobody],
    [5, erase],
    [5, meddle],
    [6, together],
  ]
  const total = steps.reduce((sum, [weight]) => sum + weight, 0)
  return {
    load,
    step: async (place: string) => {
      let at = random() * total
      const chosen = steps.find(([weight]) => {
        at -= weight
        return at < 0
      })
      await chosen?.[1]().catch((error: unknown) => {
        throw new Error(place, { cause: error })
      })
    },
    expected: () =>
      [...known]
        .map(([id, { hash, state, present, deleted, purged }]) => ({
          id,
          hash: present ? hash : null,
          state,
          present,
          deleted,
          purged,
        }))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    people: known,
    erased,
  }
}

async function actual() {
  const { rows } = await db.owner.query(
    `select coalesce(u.user_id, l.id) as id, l.password_hash as hash, u.state, l.id is not null as present,
      u.deleted_at is not null as deleted, u.purged_at is not null as purged
    from carryover.users u full join legacy.users l on l.id = u.user_id order by 1`,
  )
  return rows
}

test(
  'a hash goes with its user and stays away, and nobody else loses one: sign-ins, events, loads, purges and erasures in any order',
  allowed(60_000, 900_000),
  async () => {
    let steps = 0
    let purged = 0
    let erased = 0
    for (let run = 0; run < RUNS; run++) {
      const seed = run + 1
      const people = world(seeded(seed))
      await people.load(1)
      for (let step = 0; step < STEPS; step++) {
        const place = `seed ${seed}, step ${step}`
        await people.step(place)
        expect(await actual(), place).toEqual(people.expected())
        if (step % 10 === 9 || step === STEPS - 1) expect(await disagreements(db.url), place).toEqual([])
        steps++
      }
      purged += [...people.people.values()].filter((person) => person.purged).length
      erased += people.erased.size
      await db.owner.query(`alter table carryover.outcomes disable trigger all;
        truncate legacy.users, carryover.users, carryover.counts, carryover.erased, carryover.refusals,
          carryover.confirmed_events, carryover.outcomes;
        alter table carryover.outcomes enable trigger all`)
    }
    measured({
      part: 'copy',
      requirement: 'R-69',
      what: 'random sign-ins, events, loads, purges and erasures against a model, compared after each step',
      wanted: '0 differences',
      got: `0 in ${steps} steps; ${purged} users purged and ${erased} erased`,
    })
    expect(purged + erased).toBeGreaterThan(0)
  },
)
