import { existsSync, readFileSync } from 'node:fs'
import { exampleStored, isSchemeName, readHash } from '../../src/hashes/index.ts'
import { listSchemes } from '../../src/hashes/listed.ts'
import { namedRecipe } from '../../src/hashes/named-recipes.ts'
import { recipeExample } from '../../src/hashes/recipe.ts'
import { ALLOWED } from '../hashes/vectors.ts'

// The tables of docs/schemes.md.

interface Origin {
  readonly source: string
  readonly scheme?: string
}

/** A row of the catalogue of stored hashes in use. A name is a scheme's or a recipe. */
interface Family {
  readonly row: string
  readonly title: string
  readonly names?: readonly string[]
  readonly note?: string
  /** Why it is not there. */
  readonly missing?: string
}

const HASHES = new URL('../hashes/', import.meta.url)
const files = new Map<string, readonly Origin[]>()
const named = origins('named')
const recipes = origins('recipe')
export const families: readonly Family[] = JSON.parse(readFileSync(new URL('catalogue.json', HASHES), 'utf8'))

export function schemeRows(): string {
  const rows = listSchemes().map(({ name, told, example, ceiling, sources, note = '' }) => {
    const vectors = vectorsOf(name)
    const described = [code(name), code(shortened(example)), told, ceiling, cell(sources)]
    const cells = [...described, String(vectors.length), projects(vectors), cell(note)]
    return `| ${cells.join(' | ')} |`
  })
  return rows.join('\n')
}

/** The schemes whose origin takes no password with a NUL. */
export function withoutNul(): string {
  return listSchemes()
    .filter(({ name }) => readHash({ ...exampleStored(name), scheme: name }, ALLOWED).nulIsData !== true)
    .map(({ name }) => code(name))
    .join(' ')
}

export function vectorsInAll(): number {
  const formats = listSchemes().flatMap(({ name }) => origins(name))
  return formats.length + named.length + recipes.length
}

export function familyRows(): string {
  const rows = families.map(({ row, title, names = [], note = '', missing }) => {
    const vectors = new Set(names.flatMap(vectorsOf))
    const remark = missing === undefined ? note : `not there: ${missing}`
    const cells = [row, cell(title), names.map(code).join(' '), String(vectors.size), cell(remark)]
    return `| ${cells.join(' | ')} |`
  })
  return rows.join('\n')
}

export function covered(): number {
  return families.filter(({ names }) => names !== undefined).length
}

/** Names in the catalogue that are neither a scheme's nor a recipe. */
export function unknownNames(): readonly string[] {
  return families.flatMap(({ names = [] }) => names).filter((name) => !isSchemeName(name) && !isRecipe(name))
}

function isRecipe(text: string): boolean {
  try {
    recipeExample(text)
    return true
  } catch {
    return false
  }
}

function vectorsOf(name: string): readonly Origin[] {
  const same = namedRecipe(name)?.recipes ?? [name, `${name}($pass)`]
  return [
    ...origins(name),
    ...named.filter(({ scheme }) => scheme === name),
    ...recipes.filter(({ scheme }) => scheme !== undefined && same.includes(scheme)),
  ]
}

function origins(name: string): readonly Origin[] {
  const known = files.get(name)
  if (known !== undefined) return known
  const file = new URL(`vectors/${name.replaceAll('/', '')}.json`, HASHES)
  const read: readonly Origin[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []
  files.set(name, read)
  return read
}

function projects(vectors: readonly Origin[]): string {
  return [...new Set(vectors.map(({ source }) => projectOf(source)))].sort().join(', ')
}

/** What a source begins with: a repository, a library, a standard; whatever else, it was made for these tests. */
function projectOf(source: string): string {
  const project =
    /^(?:(?<owner>[\w.-]+)\/(?<name>[\w.-]+)|passlib|hashcat|RFC \d+|ISO\b|support\.okta\.com|akkadia\.org|public)/.exec(
      source,
    )
  if (project === null) return 'made here'
  const { owner, name } = project.groups ?? {}
  if (owner === 'akkadia.org' || project[0] === 'akkadia.org') return 'akkadia.org'
  if (project[0] === 'public') return 'public files'
  return owner === name || owner === undefined || owner === 'hashcat'
    ? (owner ?? project[0])
    : `${owner}/${name}`
}

/** What tells a format stands at the front; the rest is salt and digest. */
const EXAMPLE_CHARACTERS = 48

function shortened(example: string): string {
  return example.length > EXAMPLE_CHARACTERS ? `${example.slice(0, EXAMPLE_CHARACTERS)}…` : example
}

function code(text: string): string {
  return `\`${cell(text)}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
