import type pg from 'pg'
import { rulesIn } from '../mapping/rules.ts'
import type { FixRule } from '../mapping/user.ts'
import { step } from './step.ts'

/** Whoever can ask: a client, or a pool. */
type Asked = Pick<pg.Client, 'query'>

/**
 * The rules in force, in the order in which they were applied. Throws StepError, and MappingError for a rule that another version
 * has written.
 */
export async function appliedRules(client: Asked): Promise<readonly FixRule[]> {
  const { rows } = await step('reading the rules', () =>
    client.query<{ rule: unknown }>('select rule from carryover.fixes where undone_at is null order by id'),
  )
  return rulesIn(rows.map(({ rule }) => rule))
}

/** Puts rules into force, all or none. Says which names are taken by rules in force; then nothing was done. */
export async function applyFixes(client: pg.Client, rules: readonly FixRule[]): Promise<readonly string[]> {
  await client.query('begin')
  try {
    // Two who apply at the same time would not see each other's names.
    await client.query('lock table carryover.fixes in share row exclusive mode')
    const { rows: taken } = await client.query<{ name: string }>(
      'select name from carryover.fixes where undone_at is null and name = any($1::text[]) order by id',
      [rules.map(({ name }) => name)],
    )
    if (taken.length === 0)
      await client.query(
        `insert into carryover.fixes (name, rule)
        select r ->> 'name', r from jsonb_array_elements($1::jsonb) with ordinality as list (r, place) order by place`,
        [JSON.stringify(rules)],
      )
    await client.query('commit')
    return taken.map(({ name }) => name)
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

/** Takes a rule out of force. False: none of this name is in force. */
export async function undoFix(client: Asked, name: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'update carryover.fixes set undone_at = clock_timestamp() where name = $1 and undone_at is null',
    [name],
  )
  return rowCount === 1
}
