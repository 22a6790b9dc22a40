import { readFile } from 'node:fs/promises'
import papa from 'papaparse'
import { lookupName, usablePassword } from '../input.ts'
import { type Io, UsageError } from './command.ts'

/** A known password. */
export interface Pair {
  readonly login: string
  readonly password: string
}

/** Test accounts are dozens; this is no way to check a whole store. */
const MOST_PAIRS = 1_000
const LONGEST_FILE = 8 * 1024 * 1024

/** Reads known passwords: CSV with the header `login,password`, or JSON Lines. Complaints name the line, never a value. */
export async function readPairs(file: string, io: Io): Promise<Pair[]> {
  const text = (await readText(file, io)).replace(/^\ufeff/, '')
  const pairs = /^\s*\{/.test(text) ? pairsOfJsonLines(text) : pairsOfCsv(text)
  if (pairs.length === 0) throw new UsageError('FILE holds no pairs')
  if (pairs.length > MOST_PAIRS) throw new UsageError(`FILE holds more than ${MOST_PAIRS} pairs`)
  return pairs
}

async function readText(file: string, io: Io): Promise<string> {
  try {
    if (file !== '-') return bounded(await readFile(file))
    const chunks: Buffer[] = []
    let length = 0
    for await (const chunk of io.stdin) {
      const bytes = Buffer.from(chunk)
      length += bytes.length
      if (length > LONGEST_FILE) break
      chunks.push(bytes)
    }
    return bounded(Buffer.concat(chunks))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError('FILE cannot be read as UTF-8')
  }
}

function bounded(bytes: Buffer): string {
  if (bytes.length > LONGEST_FILE) throw new UsageError('FILE is larger than 8 MiB')
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
}

function pairsOfCsv(text: string): Pair[] {
  const { data, errors } = papa.parse<string[]>(text, { delimiter: ',' })
  const [header, ...rows] = data
  const login = header?.findIndex((name) => name.trim().toLowerCase() === 'login') ?? -1
  const password = header?.findIndex((name) => name.trim().toLowerCase() === 'password') ?? -1
  if (login < 0 || password < 0)
    throw new UsageError('FILE has neither the CSV header login,password nor JSON Lines')
  const [broken] = errors
  if (broken !== undefined) throw new UsageError(`row ${(broken.row ?? 0) + 1} of FILE is not valid CSV`)
  return rows.flatMap((row, at) => {
    if (row.length === 1 && row[0] === '') return []
    if (row.length !== header?.length)
      throw new UsageError(`row ${at + 2} of FILE has another number of columns than the header`)
    return [checked({ login: row[login], password: row[password] }, `row ${at + 2}`)]
  })
}

function pairsOfJsonLines(text: string): Pair[] {
  return text.split(/\r?\n/).flatMap((line, at) => {
    if (line.trim() === '') return []
    return [checked(jsonOf(line, `line ${at + 1}`), `line ${at + 1}`)]
  })
}

/** JSON.parse quotes what it could not read. */
function jsonOf(line: string, place: string): { login?: unknown; password?: unknown } {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value
  } catch {}
  throw new UsageError(`${place} of FILE is not a JSON object`)
}

function checked({ login, password }: { login?: unknown; password?: unknown }, place: string): Pair {
  if (typeof login !== 'string' || lookupName(login) === null)
    throw new UsageError(`${place} of FILE has no usable login`)
  if (typeof password !== 'string' || usablePassword(password) === undefined)
    throw new UsageError(`${place} of FILE has no usable password`)
  return { login, password }
}
