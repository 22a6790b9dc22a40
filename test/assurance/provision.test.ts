import { expect, test } from 'vitest'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { seeded } from '../helpers/random.ts'
import { wrongCounts } from '../provision/simulated-target.ts'
import { fateOf, fatesOf, planned, type Scene, scene, workOn, wrongUsers } from './provision-run.ts'

const USERS = sized(2_000, 200_000)
const PROCESSES = 3

/** Milliseconds. Of Okta's length in full. */
const WINDOW_MS = sized(4_000, 60_000)

/** Calls of a window that create. In full 300 a second: one process alone does more, so that the limit is what a run waits for. */
const LIMIT = sized(500, 18_000)
const A_MINUTE = LIMIT * (60_000 / WINDOW_MS)

const expectedFates = () => {
  const fates: Record<string, number> = {}
  for (let at = 0; at < USERS; at++) fates[fateOf(at)] = (fates[fateOf(at)] ?? 0) + 1
  return fates
}

/** In the order of their moments, none after the last twentieth. */
function killsOf(random: () => number, kills: number, gentle: number) {
  const signals = [
    ...Array.from({ length: kills }, () => 'SIGKILL' as const),
    ...Array.from({ length: gentle }, () => 'SIGTERM' as const),
  ]
  return signals
    .map((signal) => ({ signal, after: Math.floor(random() * 0.95 * USERS) }))
    .sort((one, other) => one.after - other.after)
}

/** What must hold after every run. */
async function outcomeOf(one: Scene, plan: string) {
  const { rows } = await one.db.owner.query<{ state: string }>(
    'select state from carryover.plans where id = $1',
    [plan],
  )
  const { mostInAWindow } = one.server.refusedByLimit()
  return {
    state: rows[0]?.state,
    fates: await fatesOf(one.db.owner, plan),
    wrongUsers: await wrongUsers(one, USERS),
    wrongCounts: await wrongCounts(one.db.owner, plan),
    beyondLimit: mostInAWindow,
  }
}

const asPlanned = (beyondLimit: number) => ({
  state: 'done',
  fates: expectedFates(),
  wrongUsers: [],
  wrongCounts: [],
  beyondLimit,
})

const within = (seconds: number, forecast: number | null) =>
  forecast === null ? Number.NaN : (100 * (seconds - forecast)) / forecast

const minutes = (seconds: number | null) => `${((seconds ?? Number.NaN) / 60).toFixed(1)} minutes`

test(
  `three processes are killed again and again while they bring users to a target with a limit: each is there exactly once`,
  async () => {
    const kills = sized(6, 50)
    const random = seeded(20_261_121)
    const one = await scene({ users: USERS, limit: LIMIT, windowMs: WINDOW_MS })
    const { plan, forecast } = await planned(one, A_MINUTE, 100)
    const run = await workOn(one, {
      plan,
      processes: PROCESSES,
      kills: killsOf(random, kills, sized(1, 6)),
      faults: { cutAfter: 0.5, cutBefore: 0.25, failed: 0.5, unavailable: 0.25, tooMany: 0.05, slow: 1 },
      random,
      hurried: sized(1, 0) === 1,
    })
    const outcome = await outcomeOf(one, plan)
    const off = within(run.seconds, forecast.seconds)
    const most = PROCESSES * one.inFlight
    const { fates, beyondLimit } = outcome
    measured({
      part: 'provision',
      requirement: '-',
      what: `${USERS} users to the Okta simulator by ${PROCESSES} processes; kill -9 at random moments ${run.hit.SIGKILL} times, SIGTERM ${run.hit.SIGTERM} times; one answer in a hundred lost or an error`,
      wanted: 'every user in a named state, at the target exactly once and in the ledger once; counts agree',
      got: `${Object.entries(fates)
        .map(([fate, users]) => `${users} ${fate}`)
        .join(
          ', ',
        )}; ${outcome.wrongUsers.length} not exactly once; ${outcome.wrongCounts.length} counts differ`,
    })
    measured({
      part: 'provision',
      requirement: '-',
      what: `the same run: calls beyond the limit of ${A_MINUTE} a minute, in the worst window`,
      wanted: `at most ${most}, the calls in flight`,
      got: `${beyondLimit}`,
    })
    measured({
      part: 'provision',
      requirement: '-',
      what: 'the same run: its time, kills and all, against the forecast of the plan',
      wanted: 'within 15 %',
      got: `${minutes(run.seconds)}, forecast ${minutes(forecast.seconds)}: ${off.toFixed(1)} %`,
    })
    expect(run.hit.SIGKILL).toBe(kills)
    expect(outcome, run.err).toEqual(asPlanned(outcome.beyondLimit))
    expect(beyondLimit).toBeLessThanOrEqual(most)
    // Some were refused, as they had to be.
    expect(run.codes).toEqual([1, 1, 1])
    if (sized(0, 1) === 1) expect(Math.abs(off)).toBeLessThanOrEqual(15)
    await one.end()
  },
  allowed(240_000, 2_400_000).timeout,
)

test.runIf(sized(0, 1) === 1)(
  'three processes that nobody disturbs need the time of the forecast',
  async () => {
    const one = await scene({ users: USERS, limit: LIMIT, windowMs: WINDOW_MS })
    const { plan, forecast } = await planned(one, A_MINUTE, 90)
    const run = await workOn(one, {
      plan,
      processes: PROCESSES,
      kills: [],
      faults: {},
      random: seeded(1),
      hurried: false,
    })
    const outcome = await outcomeOf(one, plan)
    const off = within(run.seconds, forecast.seconds)
    measured({
      part: 'provision',
      requirement: '-',
      what: `${USERS} users by ${PROCESSES} processes that nobody disturbs, at 90 % of ${A_MINUTE} a minute: the time against the forecast`,
      wanted: 'within 15 %, and no call beyond the limit',
      got: `${minutes(run.seconds)}, forecast ${minutes(forecast.seconds)}: ${off.toFixed(1)} %; ${outcome.beyondLimit} calls beyond it`,
    })
    expect(outcome, run.err).toEqual(asPlanned(0))
    expect(Math.abs(off)).toBeLessThanOrEqual(15)
    await one.end()
  },
  allowed(240_000, 2_400_000).timeout,
)
