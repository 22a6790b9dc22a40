import { expect, test, vi } from 'vitest'
import { createLog } from '../src/log.ts'

function logInto(level: Parameters<typeof createLog>[0]) {
  const written: string[] = []
  const log = createLog(level, (lines) => written.push(lines))
  return { written, log }
}

test('a line is JSON: its level, its moment, its event and what belongs to it', () => {
  const { written, log } = logInto('info')
  log({ event: 'crash', code: 'EXAMPLE' })
  expect(JSON.parse(written.join(''))).toEqual({
    level: 'error',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    event: 'crash',
    code: 'EXAMPLE',
  })
})

test('lines of every day travel together, in their order, and an error takes them along at once', async () => {
  vi.useFakeTimers()
  try {
    const { written, log } = logInto('info')
    log({ event: 'stopping' })
    log({ event: 'stopped' })
    expect(written).toEqual([])
    vi.advanceTimersByTime(20)
    expect(written.map((lines) => lines.match(/"event":"(\w+)"/g))).toEqual([
      ['"event":"stopping"', '"event":"stopped"'],
    ])
    log({ event: 'stopping' })
    log({ event: 'crash', code: 'EXAMPLE' })
    expect(written).toHaveLength(2)
  } finally {
    vi.useRealTimers()
  }
})

test('what is less important than the level is left out', () => {
  const { written, log } = logInto('error')
  log({ event: 'database-lost', pool: 'hooks', code: 'EXAMPLE' })
  log({ event: 'crash', code: 'EXAMPLE' })
  expect(written.join('').trim().split('\n')).toHaveLength(1)
})
