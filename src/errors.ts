/**
 * Everything that can keep us from giving a verdict. `status` is what HTTP says by default, `title` is the
 * sentence that the caller may see; a dialect may phrase both differently.
 */
const failures = {
  'bad-request': { status: 400, title: 'the request does not have the expected shape' },
  unauthorized: { status: 401, title: 'unauthorized' },
  'not-found': { status: 404, title: 'not found' },
  'too-large': { status: 413, title: 'the body is larger than 64 KiB' },
  'unsupported-media-type': {
    status: 415,
    title: 'the body must be application/json without content coding',
  },
  /** More work than can be answered in time. 4xx, because providers repeat a 5xx, which would double the load. */
  overloaded: { status: 429, title: 'too many requests to answer in time' },
  /** The database, or a part of the machine, could not be reached in time. */
  unavailable: { status: 503, title: 'temporarily unavailable' },
  internal: { status: 503, title: 'temporarily unavailable' },
} as const satisfies Record<string, { status: number; title: string }>

export type FailureCode = keyof typeof failures

export interface FailureOptions {
  /** For our own log: a word from a fixed list or an error code, never input. */
  readonly detail?: string
  /** Names of fields that are missing or of the wrong shape, never their values. */
  readonly fields?: readonly string[]
}

/** We could not find out. Never a verdict. */
export class Failure extends Error {
  readonly code: FailureCode
  readonly detail: string | undefined
  readonly fields: readonly string[]

  constructor(code: FailureCode, options: FailureOptions = {}) {
    super(failures[code].title)
    this.name = 'Failure'
    this.code = code
    this.detail = options.detail
    this.fields = options.fields ?? []
  }

  get status(): (typeof failures)[FailureCode]['status'] {
    return failures[this.code].status
  }
}

/** Milliseconds. No statement and no check of the service takes longer. */
const STILL_FLOWING_MS = 1_000

/**
 * The deadline has passed. Where others were answered a moment ago there is more work than time, and a provider that
 * repeats its call would make it worse; where nobody was, something is broken, and repeating may help.
 */
export function tooLate(lastAnswer: number, detail: string): Failure {
  return new Failure(performance.now() - lastAnswer < STILL_FLOWING_MS ? 'overloaded' : 'unavailable', {
    detail,
  })
}

/**
 * What may be known of a foreign error: its code or its class, nothing else. Messages of JSON.parse, pg,
 * Drizzle and zod quote their input, which here means passwords and hashes.
 */
export function errorCode(error: unknown): string {
  if (error instanceof Failure) return error.detail ?? error.code
  if (!(error instanceof Error)) return 'unknown'
  const code =
    'code' in error
      ? error.code
      : error.cause instanceof Error && 'code' in error.cause
        ? error.cause.code
        : undefined
  return typeof code === 'string' && /^[A-Z0-9_]{2,40}$/.test(code) ? code : error.name
}
