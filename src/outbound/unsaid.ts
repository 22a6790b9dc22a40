import type { Call } from './call.ts'

/** Shorter ones stand in every sentence, and are no secrets. */
const SHORTEST = 8

const GONE = '…'

/**
 * Calls whose answers repeat none of these secrets: what a target says of a token that it does not take may quote it, and is kept
 * with the plan and told.
 */
export function withoutSecrets(call: Call, secrets: readonly string[]): Call {
  const forms = secrets.filter(({ length }) => length >= SHORTEST).flatMap(formsOf)
  if (forms.length === 0) return call
  const clean = (text: string) => forms.reduce((rest, form) => rest.replaceAll(form, GONE), text)
  return async (request) => {
    const { status, headers, text } = await call(request)
    return {
      status,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, clean(value)])),
      text: clean(text),
    }
  }
}

/** As it is, as it stands in JSON and in an address, and in base64 by itself. */
function formsOf(secret: string): readonly string[] {
  return [
    ...new Set([
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
    ]),
  ]
}
