import { createReadStream } from 'node:fs'
import { z } from 'zod'
import type { RecordedChain, RecordedOutcome } from './record.ts'
import type { KeptHead } from './verify.ts'

/** A line of an exported record or of a log does not have the expected shape. */
export class LineError extends Error {}

const hex = z.string().regex(/^([0-9a-f]{2}){1,32}$/)
const count = z.number().int().nonnegative()

const chainLine = z.strictObject({
  chain: count,
  run: z.uuid(),
  lane: count,
  startedAt: z.string(),
  length: count,
  head: hex,
}) satisfies z.ZodType<RecordedChain>

const outcomeLine = z.strictObject({
  chain: count,
  place: count,
  at: z.string().regex(/^-?\d{1,19}$/),
  dialect: z.string(),
  hook: z.string(),
  userId: z.string().nullable(),
  userSalt: hex.nullable(),
  userRef: hex.nullable(),
  loginDigest: hex.nullable(),
  verdict: z.string(),
  scheme: z.string().nullable(),
  millis: count,
  requestId: z.string().nullable(),
  link: hex,
}) satisfies z.ZodType<RecordedOutcome>

const headLine = z.object({
  event: z.literal('record-head'),
  run: z.uuid(),
  lane: count,
  place: count,
  link: hex,
})

/** Characters. An outcome has some hundreds; a file of something else is not held in memory. */
const LONGEST_LINE = 1024 * 1024

/** Outcomes that are held at a time. */
const SOME = 1_000

/** An exported record: the chains, one a line, then the outcomes. Throws LineError. */
export async function readExport(
  path: string,
): Promise<{ chains: readonly RecordedChain[]; outcomes: AsyncIterable<readonly RecordedOutcome[]> }> {
  const lines = linesOf(path)
  const chains: RecordedChain[] = []
  let next = await lines.next()
  for (; next.done !== true; next = await lines.next()) {
    const chain = chainLine.safeParse(next.value.json)
    if (!chain.success) break
    chains.push(chain.data)
  }
  const first = next
  return {
    chains,
    outcomes: (async function* () {
      let some: RecordedOutcome[] = []
      for (let line = first; line.done !== true; line = await lines.next()) {
        const outcome = outcomeLine.safeParse(line.value.json)
        if (!outcome.success) throw new LineError(`line ${line.value.number} is no outcome of a record`)
        some.push(outcome.data)
        if (some.length < SOME) continue
        yield some
        some = []
      }
      yield some
    })(),
  }
}

/** The heads that stand in the service's log. Other lines may stand there too. */
export async function readHeads(path: string): Promise<KeptHead[]> {
  const heads: KeptHead[] = []
  for await (const { json } of linesOf(path)) {
    const head = headLine.safeParse(json)
    if (head.success) heads.push(head.data)
  }
  return heads
}

/** undefined: not JSON. Lines end with a line feed alone: U+2028 may stand in a text. */
async function* linesOf(path: string): AsyncGenerator<{ number: number; json: unknown }> {
  let number = 0
  let rest = ''
  for await (const piece of createReadStream(path, 'utf8')) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LONGEST_LINE) throw new LineError(`line ${number + lines.length + 1} is too long`)
    for (const text of lines) {
      number += 1
      if (text.trim() !== '') yield { number, json: jsonOf(text) }
    }
  }
  if (rest.trim() !== '') yield { number: number + 1, json: jsonOf(rest) }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
