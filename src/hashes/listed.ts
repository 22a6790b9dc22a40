import { ceilingWords } from './ceilings.ts'
import { exampleStored, formats } from './index.ts'
import { namedRecipes } from './named-recipes.ts'
import { digests } from './recipe-functions.ts'

export interface ListedScheme {
  readonly name: string
  readonly example: string
  readonly note?: string
  readonly told: 'by its shape, exact' | 'by its shape, probable' | 'by hash_scheme'
  readonly ceiling: string
  /** The systems that store such hashes. */
  readonly sources: string
}

/** Every scheme that can be checked, for people to read. */
export function listSchemes(): readonly ListedScheme[] {
  return [
    ...formats.map(({ name, example, note, byNameOnly, probable, ceiling, sources }) => ({
      name,
      example,
      ...(note === undefined ? {} : { note }),
      told: byNameOnly
        ? ('by hash_scheme' as const)
        : probable
          ? ('by its shape, probable' as const)
          : ('by its shape, exact' as const),
      ceiling,
      sources,
    })),
    ...namedRecipes.map(({ name, recipes, note, ceiling, sources }) => ({
      ...byHashScheme(name, [...(note === undefined ? [] : [note]), `\`${recipes[0]}\``].join(': ')),
      ceiling,
      sources,
    })),
    ...Array.from(digests.keys(), (name) => byHashScheme(name, 'without salt; hexadecimal or base64')),
    {
      ...byHashScheme('sha256($salt.$pass)', 'an example of a recipe; see docs/schemes.md for the notation'),
      ceiling: ceilingWords.recipe,
    },
  ]
}

function byHashScheme(name: string, note: string): ListedScheme {
  return {
    name,
    example: exampleStored(name).encoded ?? '',
    note,
    told: 'by hash_scheme',
    ceiling: ceilingWords.fixed,
    sources: 'home-grown stores',
  }
}
