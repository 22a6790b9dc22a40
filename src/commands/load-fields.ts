import { readFile } from 'node:fs/promises'
import { isColumn, shown } from '../load/columns.ts'
import { isObject } from '../mapping/fields.ts'
import { MappingError, readJsonText } from '../mapping/json.ts'
import { UsageError } from './command.ts'

/** What `suggest` writes, people review, and `load --fields` reads. */
export interface FieldsFile {
  /** The file's fields and the columns that they become. */
  readonly map: Readonly<Record<string, string>>
  readonly drop: readonly string[]
  /** Fields that somebody has to look at before anything is loaded. */
  readonly review: readonly string[]
}

const MEMBERS: readonly string[] = ['map', 'drop', 'review'] satisfies (keyof FieldsFile)[]

/** What a file of fields says, as `--map` and `--drop` have it. Throws UsageError, also where some are still to be reviewed. */
export async function fieldsIn(
  path: string,
): Promise<{ readonly map: readonly string[]; readonly drop: readonly string[] }> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new UsageError('--fields is not a file that can be read')
  })
  const { map, drop, review } = readFieldsFile(text)
  if (review.length > 0)
    throw new UsageError(
      `--fields: these are still to be reviewed, and then to be taken out of "review": ${review.map((name) => shown(name)).join(', ')}`,
    )
  return { map: Object.entries(map).map(([source, column]) => `${source}=${column}`), drop }
}

/** Throws UsageError that names every place where the text is not such a file. */
function readFieldsFile(text: string): FieldsFile {
  try {
    return fieldsOf(readJsonText(text))
  } catch (error) {
    if (error instanceof MappingError) throw new UsageError(`--fields: ${error.message}`)
    throw error
  }
}

function fieldsOf(value: unknown): FieldsFile {
  if (!isObject(value)) throw new MappingError(['not an object with "map", "drop" and "review"'])
  const problems = Object.keys(value)
    .filter((name) => !MEMBERS.includes(name))
    .map((name) => `${shown(name)} is not a part of it: "map", "drop" and "review" are`)
  const map = mapIn(value.map ?? {}, problems)
  const drop = namesIn('drop', value.drop ?? [], problems)
  const review = namesIn('review', value.review ?? [], problems)
  for (const name of drop) if (map.has(name)) problems.push(`drop: ${shown(name)} is mapped, too`)
  if (problems.length > 0) throw new MappingError(problems)
  return { map: Object.fromEntries(map), drop, review }
}

function mapIn(value: unknown, problems: string[]): Map<string, string> {
  const map = new Map<string, string>()
  if (!isObject(value)) {
    problems.push('map: not an object of fields and columns')
    return map
  }
  const from = new Map<string, string>()
  for (const [source, column] of Object.entries(value)) {
    const earlier = from.get(String(column))
    if (source === '') problems.push('map: a field without a name')
    else if (typeof column !== 'string' || !isTarget(column))
      problems.push(`map: ${shown(source)} has neither a column of a load nor profile.NAME`)
    else if (earlier !== undefined)
      problems.push(`map: ${shown(earlier)} and ${shown(source)} are the same column`)
    else {
      from.set(column, source)
      map.set(source, column)
    }
  }
  return map
}

/** `--map` is taken apart at the last equals sign. */
function isTarget(column: string): boolean {
  return isColumn(column) || /^profile\.[^=]{1,64}$/.test(column)
}

function namesIn(member: string, value: unknown, problems: string[]): readonly string[] {
  if (!Array.isArray(value)) {
    problems.push(`${member}: not a list of fields`)
    return []
  }
  const entries: readonly unknown[] = value
  const names = new Set<string>()
  for (const [at, name] of entries.entries()) {
    if (typeof name !== 'string' || name === '') problems.push(`${member}: entry ${at + 1} is not a name`)
    else if (names.has(name)) problems.push(`${member}: ${shown(name)} is there more than once`)
    else names.add(name)
  }
  return [...names]
}
