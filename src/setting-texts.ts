// How the text of a setting is read. Each throws a Misfit.
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/** What was expected, without what was given. */
export class Misfit extends Error {}

export interface Address {
  readonly host: string
  readonly port: number
}

export function databaseUrl(text: string): string {
  if (!/^postgres(ql)?:\/\//.test(text)) throw new Misfit('a connection string postgresql://...')
  return text
}

/**
 * Whether a connection string leads to another machine without saying that its certificate is to be checked: somebody on
 * the way could be the database.
 */
export function trustsTheNetwork(url: string): boolean {
  const [, authority = ''] = /^[^:]+:\/\/([^/?#]*)/.exec(url) ?? []
  const parameters = new URLSearchParams(url.split('?')[1] ?? '')
  const named = (authority.split('@').pop() ?? '').replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1')
  const host = parameters.get('host') ?? decodeURIComponent(named)
  const local = host === '' || host.startsWith('/') || /^(localhost|::1|127\.[\d.]+)$/.test(host)
  return !local && parameters.get('sslmode') !== 'verify-full'
}

export function address(text: string): Address {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65_535) throw new Misfit('HOST:PORT')
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

export function list(shortest: number): (text: string) => readonly string[] {
  return (text) => {
    const items = text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
    if (text !== '' && items.length === 0) throw new Misfit('a comma-separated list')
    if (items.some((item) => item.length < shortest))
      throw new Misfit(`a list of values of ${shortest} characters or more each`)
    return items
  }
}

/** As in `hashes/password-forms.ts`. */
export type PasswordForm = 'as-sent' | 'nfc' | 'nfkc'

export function formList(text: string): readonly PasswordForm[] {
  const form = oneOf('as-sent', 'nfc', 'nfkc')
  return text.split(',').map((word) => {
    try {
      return form(word.trim())
    } catch {
      throw new Misfit('a comma-separated list of as-sent, nfc and nfkc')
    }
  })
}

export function oneOf<const Word extends string>(...words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word === text)
    if (found === undefined) throw new Misfit(`one of ${words.join(', ')}`)
    return found
  }
}

export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    if (text === 'cores') return availableParallelism()
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (!(number >= least && number <= most)) throw new Misfit(`a whole number from ${least} to ${most}`)
    return number
  }
}

/** The content of a file. Empty: not set. */
export function file(path: string): string {
  if (path === '') return ''
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new Misfit('the path of a file that can be read')
  }
}

/** The path of a file that is read again later. Empty: not set. */
export function readableFile(path: string): string {
  file(path)
  return path
}

/** Every file of a directory, by its name. Mounted secrets have links and directories that begin with a dot. */
export function secretFiles(path: string): ReadonlyMap<string, Buffer> {
  if (path === '') return new Map()
  try {
    const names = readdirSync(path).filter((name) => /^[a-z0-9_]{1,64}$/.test(name))
    return new Map(names.map((name) => [name, withoutFinalBreak(readFileSync(join(path, name)))]))
  } catch {
    throw new Misfit('the path of a directory of files that can be read')
  }
}

function withoutFinalBreak(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  return bytes.subarray(0, text.length - (/\r?\n$/.exec(text)?.[0].length ?? 0))
}
