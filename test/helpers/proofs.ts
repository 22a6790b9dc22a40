import { createHmac } from 'node:crypto'
import { type CallerCheck, type CallerPolicy, createCallerCheck } from '../../src/callers/check.ts'
import { proofKinds } from '../../src/callers/index.ts'
import type { Call } from '../../src/http.ts'

/** A call of a stranger, with what a test adds. */
export function callWith(
  headers: Readonly<Record<string, string>>,
  body: string | Buffer = '',
  more: Partial<Call> = {},
): Call {
  const bytes = Buffer.from(body)
  return {
    method: 'POST',
    path: '/',
    remote: '127.0.0.1',
    certificate: () => null,
    header: (name) => headers[name],
    body: async () => bytes,
    hasGone: () => false,
    onceGone: () => () => {},
    ...more,
  }
}

/** A check made of settings' texts. */
export function checkOf(
  texts: Readonly<Record<string, string>>,
  subjects: CallerPolicy['subjects'] = [],
  allows: (call: Call) => boolean = () => true,
): CallerCheck {
  const proofs = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, readSetting(name, text)]),
  )
  return createCallerCheck({ proofs, subjects }, allows, 64 * 1024)
}

export function readSetting(name: string, text: string): unknown {
  const setting = proofKinds.flatMap(({ settings }) => settings[name] ?? [])[0]
  if (setting === undefined) throw new Error('no such setting')
  return setting.read(text)
}

/** The headers of Standard Webhooks for a body, made apart from what is tested. */
export function signedHeaders(
  body: string,
  secrets: readonly string[],
  { id = 'msg_1', at = Math.floor(Date.now() / 1_000) }: { id?: string; at?: number } = {},
): Record<string, string> {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${at}.${body}`, 'utf8').digest('base64')}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': signatures.join(' ') }
}
