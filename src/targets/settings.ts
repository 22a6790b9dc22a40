// How targets read their settings. Every function throws TargetError, with the short name of the setting.
import { TargetError, type TargetSettings } from './target.ts'

/** The address of a target without a slash at its end, and the host that is called. */
export function addressOf(text: string | undefined): { readonly base: string; readonly host: string } {
  if (text === undefined || !URL.canParse(text)) throw new TargetError('URL: expected an https address')
  const url = new URL(text)
  const more = url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== ''
  if (url.protocol !== 'https:' || more)
    throw new TargetError('URL: expected an https address without credentials, query and fragment')
  const path = url.pathname.endsWith('/') ? url.pathname.slice(0, -1) : url.pathname
  return { base: url.origin + path, host: url.host }
}

/** A text that must be there. */
export function wanted(given: TargetSettings, name: string): string {
  const text = given[name]
  if (text === undefined || text === '') throw new TargetError(`${name}: expected a text`)
  return text
}

export function isOn(name: string, text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on'
  throw new TargetError(`${name}: expected on or off`)
}

export function countOf(name: string, text: string, least: number, most: number): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (count >= least && count <= most) return count
  throw new TargetError(`${name}: expected a whole number from ${least} to ${most}`)
}
