import type pg from 'pg'
import { connectOwner } from './client.ts'
import { step } from './step.ts'

/** Rows of one fetch: a megabyte or two. */
const FETCH = 4_000

/**
 * Every row that a select of a connection's transaction has, a few thousand at a time and in no order. PostgreSQL works on the next
 * ones while the caller does on these. Throws StepError.
 *
 * @param beginning what is told to have failed when the select does
 */
export async function* fetched<Row extends object>(
  client: pg.Client,
  { select, values = [], beginning }: { select: string; values?: readonly unknown[]; beginning: string },
): AsyncGenerator<readonly Row[]> {
  await step(beginning, async () => {
    // All rows are wanted, not the first ones soon. Without statistics, as after a load, nested loops look cheap.
    await client.query('set local cursor_tuple_fraction = 1')
    await client.query('set local enable_nestloop = off')
    await client.query(`declare all_rows no scroll cursor for ${select}`, [...values])
  })
  const next = () => step('reading the copy', () => client.query<Row>(`fetch ${FETCH} from all_rows`))
  let coming = next()
  for (;;) {
    const { rows } = await coming
    if (rows.length === 0) break
    coming = next()
    coming.catch(() => {}) // told by whoever waits for it next
    yield rows
  }
  await step('reading the copy', () => client.query('close all_rows'))
}

/** What is read in a snapshot of its own. */
export interface Snapshot {
  readonly applicationName: string
  readonly select: string
  /** Of PostgreSQL, for this select alone: `work_mem = '64MB'`. */
  readonly settings?: readonly string[]
  readonly beginning: string
}

/** As `fetched`, in one snapshot on a connection of its own. The signal ends even the statement in flight. Throws StepError. */
export async function* snapshotOf<Row extends object>(
  url: string,
  { applicationName, settings = [], ...reading }: Snapshot,
  stop: AbortSignal,
): AsyncGenerator<readonly Row[]> {
  const client = await step('connecting', () => connectOwner(url, applicationName))
  const end = () => void client.end().catch(() => {})
  stop.addEventListener('abort', end, { once: true })
  if (stop.aborted) end()
  try {
    await step(reading.beginning, async () => {
      await client.query('begin isolation level repeatable read read only')
      for (const setting of settings) await client.query(`set local ${setting}`)
    })
    yield* fetched<Row>(client, reading)
  } finally {
    stop.removeEventListener('abort', end)
    await client.end().catch(() => {})
  }
}
