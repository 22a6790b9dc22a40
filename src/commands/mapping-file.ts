import { readFile } from 'node:fs/promises'
import { errorCode } from '../errors.ts'
import { MappingError } from '../mapping/json.ts'
import { readMapping } from '../mapping/read.ts'
import type { Mapping } from '../mapping/user.ts'
import { UsageError } from './command.ts'
import { printable } from './options.ts'

/** The mapping in the file of `--mapping`. Throws UsageError, with every problem of it. */
export async function readMappingFile(path: string): Promise<Mapping> {
  const text = await readTextFile('--mapping', path)
  try {
    return readMapping(text)
  } catch (error) {
    if (error instanceof MappingError) throw new UsageError(`--mapping: ${error.message}`)
    throw error
  }
}

/** The text of a file that an option names. Throws UsageError. */
export async function readTextFile(option: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new UsageError(`${option} names a file that cannot be read (${errorCode(error)})`)
  }
}

/** Every problem of a mapping or of rules, a line each. */
export function inLines({ problems }: MappingError): string {
  return `this was not understood:\n${problems.map((one) => `  ${printable(one)}\n`).join('')}`
}
