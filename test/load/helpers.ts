import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { load } from '../../src/commands/load.ts'
import { recount } from '../../src/db/recount.ts'
import type { StoredHash } from '../../src/domain.ts'
import type { Classified } from '../../src/load/row.ts'
import { heard } from '../helpers/io.ts'

/** Hashes that start with `!` cannot be used; the rest is of the scheme before the colon. */
export function fakeClassify({ encoded }: StoredHash): Classified {
  if (encoded === null) return { usable: false, scheme: 'unknown', defect: 'missing' }
  if (encoded.startsWith('!')) return { usable: false, scheme: 'unknown', defect: 'locked-marker' }
  return { usable: true, scheme: encoded.split(':')[0] ?? '' }
}

/** A directory of its own for files to load. */
export async function scratch() {
  const directory = await mkdtemp(join(tmpdir(), 'carryover-load-'))
  return {
    directory,
    file: async (name: string, content: string | Buffer) => {
      const path = join(directory, name)
      await writeFile(path, content)
      return path
    },
    remove: () => rm(directory, { recursive: true }),
  }
}

export const bcryptHash = `$2b$10$${'CarryoverCarryoverCarO'}${'nobodyKnowsAPasswordForThisHas.'}`

export async function runLoad(url: string, ...args: string[]) {
  const { code, out, err } = await heard((io) => load.run([...args, '--json'], io), {
    env: { DATABASE_URL: url },
  })
  return { code, err, summary: out === '' ? undefined : JSON.parse(out) }
}

/** Where every row version of copy, ledger and counts lies: what has not been written has not moved. */
export async function versions(owner: pg.Client, copy = 'legacy.users'): Promise<unknown[]> {
  const { rows } = await owner.query(
    `select 'copy' as place, id, ctid::text, xmin::text, xmax::text from ${copy}
    union all select 'ledger', user_id, ctid::text, xmin::text, xmax::text from carryover.users
    union all select 'counts', cohort || ' ' || scheme, ctid::text, xmin::text, xmax::text from carryover.counts
    order by 1, 2`,
  )
  return rows
}

export async function disagreements(url: string): Promise<readonly string[]> {
  return (await recount(url)).differences
}
