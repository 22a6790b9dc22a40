import type { z } from 'zod'
import { Failure } from '../errors.ts'
import type { Call } from '../http.ts'
import { readJson } from './json.ts'

/** Bytes. A hook's request is a few KiB; a delivery of events some tens. */
export const LARGEST_BODY = 64 * 1024

/** Field names in a log line or an answer. */
const MOST_FIELDS = 10

/**
 * Reads a request's body as JSON of a given shape. Never lets an exception of a parser out: its message quotes the body,
 * and the body holds a password.
 */
export async function readBody<Question>(call: Call, schema: z.ZodType<Question>): Promise<Question> {
  refuseUnreadable(call)
  const json = readJson(decode(await call.body(LARGEST_BODY)))
  // Async, because a question may have to be decrypted.
  const read = await schema.safeParseAsync(json)
  if (read.success) return read.data
  const fields = read.error.issues.map(({ path }) => path.map(String).join('.') || 'body')
  throw new Failure('bad-request', { fields: [...new Set(fields)].slice(0, MOST_FIELDS) })
}

function refuseUnreadable({ header }: Call): void {
  const coding = header('content-encoding')
  if (coding !== undefined && coding.trim().toLowerCase() !== 'identity') {
    throw new Failure('unsupported-media-type', { fields: ['content-encoding'] })
  }
  const type = header('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new Failure('unsupported-media-type', { fields: ['content-type'] })
  if (Number(header('content-length') ?? 0) > LARGEST_BODY) throw new Failure('too-large')
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new Failure('bad-request', { detail: 'not-utf8', fields: ['body'] })
  } finally {
    bytes.fill(0)
  }
}
