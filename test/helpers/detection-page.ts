import { readdirSync } from 'node:fs'
import { detect } from '../../src/hashes/index.ts'
import { readVectors } from '../hashes/vectors.ts'

// The table of docs/detection.md.

const confidences = ['exact', 'probable', 'needs a scheme'] as const

/** The data files of stored hashes, without `.json`. */
export function vectorFiles(): readonly string[] {
  const names = readdirSync(new URL('../hashes/vectors/', import.meta.url))
  return names.map((name) => name.replace('.json', '')).sort()
}

/** What the well-formed vectors of each file are taken for when nothing but the string is known. */
export function detectionRows(): string {
  const rows = vectorFiles().map((file) => {
    const counts = countsOf(file)
    const cells = confidences.map((confidence) => {
      const found = counts.filter((count) => count.confidence === confidence)
      return found
        .map(({ format, vectors }) => (format === null ? vectors : `\`${format}\` ${vectors}`))
        .join(', ')
    })
    const all = counts.reduce((sum, { vectors }) => sum + vectors, 0)
    return `| \`${file}\` | ${all} | ${cells.join(' | ')} |`
  })
  return rows.join('\n')
}

/** Well-formed vectors in all, by confidence. */
export function detectionTotals(): Readonly<Record<(typeof confidences)[number], number>> {
  const totals = { exact: 0, probable: 0, 'needs a scheme': 0 }
  for (const { confidence, vectors } of vectorFiles().flatMap(countsOf)) totals[confidence] += vectors
  return totals
}

function countsOf(file: string) {
  const counts = new Map<string, ReturnType<typeof detect> & { vectors: number }>()
  for (const { stored, bomb, defect } of readVectors(file)) {
    if (bomb || defect !== undefined) continue
    const detection = detect(stored.encoded ?? '')
    const key = `${detection.confidence} ${detection.format}`
    counts.set(key, { ...detection, vectors: (counts.get(key)?.vectors ?? 0) + 1 })
  }
  return [...counts.values()].sort((one, other) => other.vectors - one.vectors)
}
