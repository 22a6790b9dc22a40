import type { Io } from './command.ts'

/** A terminal takes longer for a line than the work that it tells of. */
const EVERY_MS = 200

/** A line that is written over, on a terminal; nothing elsewhere. */
export interface TerminalLine {
  /** Shows what is put into words of the seconds since the beginning, unless another line has just been shown. */
  at(words: (seconds: number) => string): void
  /** Shows a line in any case: it stays for a while. */
  show(text: string): void
  /** Takes the line away, before something else is written. */
  clear(): void
}

export function terminalLine(io: Pick<Io, 'terminal' | 'err'>): TerminalLine {
  const started = performance.now()
  let shownAt = Number.NEGATIVE_INFINITY
  let shown = false
  const show = (text: string) => {
    if (!io.terminal) return
    shownAt = performance.now()
    shown = true
    io.err(`\r\x1b[K${text}`)
  }
  return {
    show,
    at: (words) => {
      const now = performance.now()
      if (io.terminal && now - shownAt >= EVERY_MS) show(words((now - started) / 1_000))
    },
    clear: () => {
      if (shown) io.err('\r\x1b[K')
      shown = false
    },
  }
}
