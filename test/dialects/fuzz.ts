import { createHooksApp } from '../../src/app.ts'
import type { Dialect, OwnSettings } from '../../src/dialects/dialect.ts'
import { hookRoutes } from '../../src/hooks/routes.ts'
import { requester } from '../helpers/calls.ts'
import { policiesFor } from '../helpers/dialects.ts'
import { fakeFlows } from '../helpers/flows.ts'
import { seeded } from '../helpers/random.ts'
import { SECRET } from '../helpers/service.ts'
import { takenForYes } from './yes.ts'

/** Values that readers of JSON have stumbled over. */
const oddities: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  2 ** 53,
  '',
  ' ',
  '\0',
  '\ud800',
  '\u202e',
  'ﬀ',
  'x'.repeat(5_000),
  "' or 1=1 --",
  '../../etc/passwd',
  '{"verdict":"match"}',
  'match',
  'VERIFIED',
  'password_match',
  [],
  {},
  [[]],
  [null],
  { toString: 'x' },
  { constructor: { prototype: { verdict: 'match' } } },
]

const oddKeys = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '',
  'length',
  'then',
  'status',
  'verdict',
]

/**
 * Bodies to send in place of `samples`: samples with something changed in them, JSON of no shape at all, and texts that
 * are none. The same seed makes the same bodies.
 */
export function* bodies(samples: readonly unknown[], seed: number, count: number): Generator<string> {
  const next = seeded(seed)
  const among = <Item>(items: readonly Item[]): Item => items[Math.floor(next() * items.length)] as Item

  const anything = (depth: number): unknown => {
    const kind = next()
    if (depth === 0 || kind < 0.5) return among(oddities)
    if (kind < 0.7) return Array.from({ length: Math.floor(next() * 4) }, () => anything(depth - 1))
    return made(Array.from({ length: Math.floor(next() * 5) }, () => [among(oddKeys), anything(depth - 1)]))
  }

  /** The same value with one place of it changed. */
  const changed = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || next() < 0.15) return anything(2)
    if (Array.isArray(value))
      return value.length === 0 ? [anything(2)] : value.map((item) => (next() < 0.5 ? changed(item) : item))
    const entries = Object.entries(value)
    const at = Math.floor(next() * entries.length)
    const act = next()
    if (act < 0.2) return made(entries.filter((_, place) => place !== at))
    if (act < 0.35) return made([...entries, [among(oddKeys), anything(2)]])
    return made(entries.map(([key, inner], place) => [key, place === at ? changed(inner) : inner]))
  }

  const torn = (text: string): string => {
    const at = Math.floor(next() * text.length)
    const act = next()
    if (act < 0.4) return text.slice(0, at)
    if (act < 0.7)
      return text.slice(0, at) + among(['"', '{', '}', '\\', ',', '\0', '\u2028', 'é']) + text.slice(at + 1)
    return text.slice(0, at) + text.slice(Math.floor(next() * text.length))
  }

  for (let made = 0; made < count; made++) {
    const kind = next()
    const sample = among(samples)
    if (kind < 0.65) yield JSON.stringify(changed(next() < 0.3 ? changed(sample) : sample))
    else if (kind < 0.8) yield JSON.stringify(anything(4))
    else if (kind < 0.97) yield torn(JSON.stringify(sample))
    else yield '['.repeat(20_000) + (next() < 0.5 ? ']'.repeat(20_000) : '')
  }
}

/** Of entries; `__proto__` becomes a key like any other. */
function made(entries: readonly (readonly [string, unknown])[]): unknown {
  return Object.fromEntries(entries)
}

export interface Fuzzed {
  /** How often each status was answered. */
  readonly statuses: ReadonlyMap<number, number>
  /** Bodies that were answered by a yes, by a crash or by a failure that is a bug of ours. */
  readonly yes: readonly string[]
  readonly broken: readonly string[]
}

/**
 * Sends bodies to one path of a dialect, with its secret, over a store in which every name is somebody's and no password
 * is right: whatever is taken for yes there has come of the reading or the phrasing alone.
 */
export async function fuzz(
  dialect: Dialect,
  path: string,
  texts: Iterable<string>,
  { lookup, own }: { lookup: boolean; own: OwnSettings },
): Promise<Fuzzed> {
  const { flows, log, metrics, events } = fakeFlows()
  const policies = policiesFor(new Map([[dialect.name, [SECRET]]]), {
    own,
    lookup,
    lookupsPerMinute: 1_000_000,
  })
  const request = requester(createHooksApp(hookRoutes([dialect], policies, flows), { log, metrics }))
  const isYes = takenForYes[dialect.name] ?? (() => true)
  const statuses = new Map<number, number>()
  const yes: string[] = []
  const broken: string[] = []
  for (const body of texts) {
    const response = await request(path, {
      method: 'POST',
      headers: { authorization: SECRET, 'content-type': 'application/json' },
      body,
    })
    const text = await response.text()
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
    if (isYes(response.status, text === '' ? undefined : JSON.parse(text))) yes.push(body)
    const bug = events.some(
      (event) => event.event === 'crash' || (event.event === 'failure' && event.code === 'internal'),
    )
    if (bug || response.status >= 500) broken.push(body)
    events.length = 0
  }
  return { statuses, yes, broken }
}
