import type { z } from 'zod'
import { Failure } from '../errors.ts'

/** Bytes. A hook's request is a few KiB; a delivery of events some tens. */
const LARGEST_BODY = 64 * 1024

/** Field names in a log line or an answer. */
const MOST_FIELDS = 10

/**
 * Reads a request's body as JSON of a given shape. Never lets an exception of a parser out: its message quotes the body,
 * and the body holds a password.
 */
export async function readBody<Question>(request: Request, schema: z.ZodType<Question>): Promise<Question> {
  refuseUnreadable(request.headers)
  const json = parseJson(decode(await readBytes(request)))
  const read = schema.safeParse(json)
  if (read.success) return read.data
  const fields = read.error.issues.map(({ path }) => path.map(String).join('.') || 'body')
  throw new Failure('bad-request', { fields: [...new Set(fields)].slice(0, MOST_FIELDS) })
}

function refuseUnreadable(headers: Headers): void {
  const coding = headers.get('content-encoding')
  if (coding !== null && coding.trim().toLowerCase() !== 'identity') {
    throw new Failure('unsupported-media-type', { fields: ['content-encoding'] })
  }
  const type = headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new Failure('unsupported-media-type', { fields: ['content-type'] })
  if (Number(headers.get('content-length') ?? 0) > LARGEST_BODY) throw new Failure('too-large')
}

/** Counts while it reads, because a chunked body announces no length. */
async function readBytes(request: Request): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let length = 0
  const reader = request.body?.getReader()
  try {
    while (reader !== undefined) {
      const { done, value } = await reader.read()
      if (done) break
      length += value.length
      if (length > LARGEST_BODY) throw new Failure('too-large')
      parts.push(value)
    }
    return Buffer.concat(parts)
  } catch (error) {
    // The caller went away, or was too slow.
    throw error instanceof Failure
      ? error
      : new Failure('bad-request', { detail: 'body-incomplete', fields: ['body'] })
  } finally {
    reader?.releaseLock()
    for (const part of parts) part.fill(0)
  }
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure('bad-request', { detail: 'not-json', fields: ['body'] })
  }
}
