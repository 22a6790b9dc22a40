import type pg from 'pg'
import { run } from '../../src/cli.ts'
import { eraseUser } from '../../src/db/erase.ts'
import { heard } from '../helpers/io.ts'

/** One command of the program, in this process. `typed`: its standard input. */
export function command(url: string, args: readonly string[], env: Record<string, string> = {}, typed = '') {
  return heard((io) => run(args, io), { env: { DATABASE_URL: url, ...env }, typed })
}

/** Without the wait for calls under way: there are none. */
export function eraseNow(url: string, id: string, dryRun = false) {
  return eraseUser(url, { id }, { dryRun, settled: async () => {} })
}

/** Moves a user on, as sign-ins and events would have done so many seconds ago. The counts are kept. */
export async function moved(
  owner: pg.Client,
  state: 'verified' | 'migrated',
  secondsAgo: number,
  ids: readonly string[],
): Promise<void> {
  await owner.query(
    `with before as (select * from carryover.users where user_id = any ($1) and deleted_at is null),
    after as (
      update carryover.users u set state = $2, ${state}_at = clock_timestamp() - make_interval(secs => $3)
      from before b where u.user_id = b.user_id
    )
    select carryover.add_counts(coalesce(jsonb_agg(jsonb_build_object('cohort', cohort, 'scheme', scheme,
      'unmigrated', -(state = 'unmigrated')::int, 'verified', ($2 = 'verified')::int - (state = 'verified')::int,
      'migrated', ($2 = 'migrated')::int - (state = 'migrated')::int,
      'unverifiable', -(state = 'unmigrated' and not usable)::int)), '[]')) from before`,
    [ids, state, secondsAgo],
  )
}

/** Ids of users who have a hash or a salt in the copy. */
export async function holders(owner: pg.Client): Promise<string[]> {
  const { rows } = await owner.query<{ id: string }>(
    'select id from legacy.users where password_hash is not null or salt is not null order by id',
  )
  return rows.map(({ id }) => id)
}
