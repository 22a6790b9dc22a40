// How the text of a setting is read. Each throws a Misfit.
import { availableParallelism } from 'node:os'

/** What was expected, without what was given. */
export class Misfit extends Error {
  /** For the log: a word of ours. */
  readonly code: string

  constructor(message: string, code = 'unfit') {
    super(message)
    this.code = code
  }
}

export interface Address {
  readonly host: string
  readonly port: number
}

export function databaseUrl(text: string): string {
  if (!/^postgres(ql)?:\/\//.test(text)) throw new Misfit('a connection string postgresql://...')
  return text
}

/** Of a database that is read and is not ours. */
export function sourceUrl(text: string): string {
  if (!/^(postgres(ql)?|mysql|mariadb):\/\//.test(text))
    throw new Misfit('a connection string postgresql://... or mysql://...')
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

/** Milliseconds; 0: none. `auto`: as long as it takes. */
export function floorMillis(text: string): number | 'auto' {
  if (text === 'auto') return text
  if (text === 'off') return 0
  const millis = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (!(millis >= 10 && millis <= 2_000)) throw new Misfit('auto, off or a whole number from 10 to 2000')
  return millis
}

/** Permission bits that a secret's file may have at most. Who may write a secret chooses it, so nobody else may. */
export function fileMode(text: string): number {
  const mode = /^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN
  if (Number.isNaN(mode) || (mode & 0o022) !== 0)
    throw new Misfit('an octal mode as 0700, 0440 or 0444, by which nobody but the owner may write')
  return mode
}
