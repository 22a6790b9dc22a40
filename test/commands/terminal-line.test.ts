import { expect, test, vi } from 'vitest'
import { terminalLine } from '../../src/commands/terminal-line.ts'

const on = (terminal: boolean) => {
  const written: string[] = []
  return { written, line: terminalLine({ terminal, err: (text) => void written.push(text) }) }
}

test('on a terminal a line is written over, five times a second at most, and taken away once', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    const { written, line } = on(true)
    line.clear()
    vi.advanceTimersByTime(2_000)
    line.at((seconds) => `${seconds} s`)
    vi.advanceTimersByTime(199)
    line.at(() => 'too early')
    line.show('in any case')
    vi.advanceTimersByTime(200)
    line.at((seconds) => `${seconds} s`)
    line.clear()
    line.clear()
    expect(written).toEqual(['\r\x1b[K2 s', '\r\x1b[Kin any case', '\r\x1b[K2.399 s', '\r\x1b[K'])
  } finally {
    vi.useRealTimers()
  }
})

test('elsewhere nothing is written', () => {
  const { written, line } = on(false)
  line.at(() => 'some')
  line.show('more')
  line.clear()
  expect(written).toEqual([])
})
