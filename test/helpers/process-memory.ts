import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** Gives every writable region of another process's memory, in pieces that overlap by `overlap` bytes. Linux alone. */
export function readMemory(pid: number, each: (piece: Buffer) => void, overlap = 256): void {
  const PIECE = 8 * 2 ** 20
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
      if (from === undefined || to === undefined) continue
      const end = Number.parseInt(to, 16)
      for (let at = Number.parseInt(from, 16); at < end; at += PIECE - overlap) {
        const piece = Buffer.alloc(Math.min(PIECE, end - at))
        const length = readAt(memory, piece, at)
        if (length > 0) each(piece.subarray(0, length))
        if (at + PIECE >= end) break
      }
    }
  } finally {
    closeSync(memory)
  }
}

/** A region may have gone since it was listed. */
function readAt(file: number, piece: Buffer, position: number): number {
  try {
    return readSync(file, piece, 0, piece.length, position)
  } catch {
    return 0
  }
}
