import type pg from 'pg'
import type { MigrationState } from '../domain.ts'
import { step } from './step.ts'

export interface StandingUser {
  readonly id: string
  readonly login: string
  readonly state: MigrationState
  readonly targetId: string | null
}

/** Users that are looked up between two looks into the database. */
const CHUNK = 200

const columns = `u.user_id as id, l.login, u.state,
  (select p.target_id from carryover.provisioned p where p.target = $1 and p.user_id = u.user_id) as "targetId"`

const everybody = `from carryover.users u join legacy.users l on l.id = u.user_id where u.deleted_at is null`

/**
 * Users of the ledger with what a target is to be asked about them: all in the order of their ids, or a sample in which each has
 * the same chance.
 */
export async function* standingUsers(
  client: pg.Client,
  target: string,
  sample: number | null,
): AsyncGenerator<readonly StandingUser[]> {
  if (sample !== null) {
    const users = await ask(client, `select ${columns} ${everybody} order by random() limit $2`, [
      target,
      sample,
    ])
    for (let from = 0; from < users.length; from += CHUNK) yield users.slice(from, from + CHUNK)
    return
  }
  for (let after: string | null = null; ; ) {
    const users: StandingUser[] = await ask(
      client,
      `select ${columns} ${everybody} and ($2::text is null or u.user_id > $2) order by u.user_id limit ${CHUNK}`,
      [target, after],
    )
    const last = users.at(-1)
    if (last === undefined) return
    yield users
    after = last.id
  }
}

async function ask(client: pg.Client, text: string, values: unknown[]): Promise<StandingUser[]> {
  return step('reading the ledger', async () => (await client.query<StandingUser>(text, values)).rows)
}
