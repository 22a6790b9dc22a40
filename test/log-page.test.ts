import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

/** Each event of log.ts with its level and its fields, as the type has them. */
function eventsOfType(): Record<string, { level: string; fields: string[] }> {
  const source = read('src/log.ts')
  const union = /export type LogEvent =\n([\s\S]*?)\nconst levels/.exec(source)?.[1] ?? ''
  const levels = /const levels: [^{]*\{([\s\S]*?)\n\}/.exec(source)?.[1] ?? ''
  const members = [...union.matchAll(/\{\s*event: '([a-z0-9-]+)'([^}]*)\}/g)]
  return Object.fromEntries(
    members.map(([, event = '', rest = '']) => [
      event,
      {
        level: new RegExp(`^\\s*'?${event}'?: '(\\w+)'`, 'm').exec(levels)?.[1] ?? 'none',
        fields: [...rest.matchAll(/(?:^|[;\n])\s*(\w+): /g)].map(([, field = '']) => field),
      },
    ]),
  )
}

function eventsOfPage(): Record<string, { level: string; fields: string[] }> {
  const rows = [...read('docs/logging.md').matchAll(/^\| `([a-z0-9-]+)` \| (\w+) \| ([^|]*)\| [^|]+\|$/gm)]
  return Object.fromEntries(
    rows.map(([, event = '', level = '', fields = '']) => [
      event,
      { level, fields: [...fields.matchAll(/`(\w+)`/g)].map(([, field = '']) => field) },
    ]),
  )
}

test('docs/logging.md lists every event of log.ts with its level and its fields', () => {
  const events = eventsOfType()
  expect(Object.keys(events).length).toBeGreaterThan(20)
  expect(events.attempt).toEqual({
    level: 'info',
    fields: ['dialect', 'hook', 'verdict', 'scheme', 'userId', 'requestId', 'millis'],
  })
  expect(eventsOfPage()).toEqual(events)
})

test('no event has a field for a login, a password, a hash or a secret', () => {
  const fields = Object.values(eventsOfType()).flatMap((event) => event.fields)
  expect(
    fields.filter((field) => /login|email|name|pass|hash|secret|token|body|message/i.test(field)),
  ).toEqual([])
})
