import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

/** Published vectors by the name of their format, whoever published them: none of them may be missing here. */
const known: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL('known.json', import.meta.url), 'utf8'),
)
const VECTORS = new URL('vectors/', import.meta.url)
const ids = new Set(
  readdirSync(VECTORS).flatMap((file) => {
    const vectors: readonly { readonly id: string }[] = JSON.parse(
      readFileSync(new URL(file, VECTORS), 'utf8'),
    )
    return vectors.map(({ id }) => id)
  }),
)

test('917 vectors of 206 formats', () => {
  expect(Object.keys(known)).toHaveLength(206)
  expect(Object.values(known).flat()).toHaveLength(917)
})

test.for(Object.entries(known))('every known vector of %s has its answer here', ([, listed]) => {
  expect(listed.filter((id) => !ids.has(id))).toEqual([])
})
