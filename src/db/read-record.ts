import type pg from 'pg'
import type { RecordedChain, RecordedOutcome } from '../audit/record.ts'
import { connectOwner } from './client.ts'
import { step } from './step.ts'

/** Rows of one fetch: about a megabyte. */
const FETCH = 2_000

/** The whole record in one snapshot: its chains, then the outcomes in the order in which they were recorded. */
export async function withRecord<Result>(
  url: string,
  work: (
    chains: readonly RecordedChain[],
    outcomes: AsyncIterable<readonly RecordedOutcome[]>,
  ) => Promise<Result>,
): Promise<Result> {
  const client = await step('connecting', () => connectOwner(url, 'carryover audit'))
  try {
    await client.query('begin isolation level repeatable read read only')
    const chains = await step('reading the chains', () => readChains(client))
    return await work(chains, readOutcomes(client))
  } finally {
    await client.end().catch(() => {})
  }
}

async function readChains(client: pg.Client): Promise<RecordedChain[]> {
  const { rows } = await client.query<RecordedChain>(`
    select id::float8 as chain, run::text, lane, to_jsonb(started_at) #>> '{}' as "startedAt", length::float8,
      encode(head, 'hex') as head
    from carryover.chains order by id`)
  return rows
}

async function* readOutcomes(client: pg.Client): AsyncGenerator<readonly RecordedOutcome[]> {
  await client.query(`declare record no scroll cursor for
    select chain::float8, place::float8, (extract(epoch from at) * 1000000)::bigint::text as at, dialect, hook,
      user_id as "userId", encode(user_salt, 'hex') as "userSalt", encode(user_ref, 'hex') as "userRef",
      encode(login_digest, 'hex') as "loginDigest", verdict, scheme, millis, request_id as "requestId",
      encode(link, 'hex') as link
    from carryover.outcomes order by id`)
  for (;;) {
    const { rows } = await step('reading the record', () =>
      client.query<RecordedOutcome>(`fetch ${FETCH} from record`),
    )
    if (rows.length === 0) return
    yield rows
  }
}
