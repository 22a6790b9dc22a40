import type { Asked, Said } from './server.ts'

/** An entry of the System Log, as far as anybody here reads it. */
export interface SystemLogEntry {
  readonly uuid: string
  readonly published: string
  readonly eventType: string
  readonly outcome?: { readonly result: string; readonly reason?: string | null }
  readonly target?: readonly { readonly id: string; readonly type: string; readonly alternateId?: string }[]
}

export interface SystemLog {
  add(...entries: readonly SystemLogEntry[]): void
  /** Answers `GET /api/v1/logs`; null: something else was asked. */
  answer(asked: Asked): Said | null
  /** Positions that were given until now are not known any more. */
  forgetPositions(): void
}

const KNOWN = new Set(['since', 'until', 'filter', 'q', 'limit', 'sortOrder', 'after'])

/**
 * Okta's System Log as its page says it is: oldest first when asked so, at most 1,000 at once, and a query without an end always has
 * a next page, whose position is opaque.
 * https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/
 */
export function createSystemLog(origin: () => string): SystemLog {
  const entries: SystemLogEntry[] = []
  let generation = 1

  const refused = (what: string): Said => ({
    status: 400,
    body: {
      errorCode: 'E0000031',
      errorSummary: `Invalid search criteria: ${what}`,
      errorLink: 'E0000031',
      errorId: 'oae-simulated',
      errorCauses: [],
    },
  })

  const listed = (query: URLSearchParams): Said => {
    for (const name of query.keys()) if (!KNOWN.has(name)) return refused(name)
    const limit = Number(query.get('limit') ?? 100)
    if (!Number.isInteger(limit) || limit < 0 || limit > 1_000) return refused('limit')
    const since = Date.parse(query.get('since') ?? '')
    if (Number.isNaN(since)) return refused('since')
    if (query.get('sortOrder') !== 'ASCENDING') return refused('sortOrder of a query that is followed')
    const types = typesIn(query.get('filter') ?? '')
    if (types === null) return refused('filter')
    const after = query.get('after')
    const position = after === null ? 0 : placeOf(after, generation)
    if (position === null) return refused('after')
    const page: SystemLogEntry[] = []
    let at = position
    for (; at < entries.length && page.length < limit; at++) {
      const entry = entries[at]
      if (entry && Date.parse(entry.published) >= since && types.includes(entry.eventType)) page.push(entry)
    }
    const next = new URLSearchParams(query)
    next.set('after', `${generation}_${at}`)
    const address = `${origin()}/api/v1/logs`
    return {
      status: 200,
      headers: { link: `<${address}?${query}>; rel="self", <${address}?${next}>; rel="next"` },
      body: page,
    }
  }

  return {
    add: (...more) => {
      entries.push(...more)
    },
    answer: ({ method, path, query }) => (method === 'GET' && path === '/api/v1/logs' ? listed(query) : null),
    forgetPositions: () => {
      generation++
    },
  }
}

/** Event types of `eventType eq "a" or eventType eq "b"`, which is all of the language that is understood here. */
function typesIn(filter: string): string[] | null {
  const types = filter.split(' or ').map((part) => /^eventType eq "([\w.]+)"$/.exec(part)?.[1])
  return types.every((type) => type !== undefined) ? types : null
}

function placeOf(after: string, generation: number): number | null {
  const [, given, place] = /^(\d+)_(\d+)$/.exec(after) ?? []
  return Number(given) === generation ? Number(place) : null
}
