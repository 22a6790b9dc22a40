import { randomUUID } from 'node:crypto'

// What Ory Kratos does with a service like this one: selfservice/hook/password_migration_hook.go and web_hook.go of
// https://github.com/ory/kratos, without the time it waits between its tries.

const MOST_TRIES = 3

type Send = (url: string, init: RequestInit) => Promise<Response>

/** The migrate hook and the web hook with these addresses, and how they prove themselves. */
export function kratosClient(base: string, authorization: string, send: Send = fetch) {
  const call = async (path: string, body: unknown) => {
    const trigger = randomUUID()
    for (let tries = 1; ; tries++) {
      const response = await send(base + path, {
        method: 'POST',
        headers: {
          authorization,
          'content-type': 'application/json',
          'ory-webhook-trigger-id': trigger,
          'ory-webhook-request-id': randomUUID(),
        },
        body: JSON.stringify(body),
      })
      const again = response.status === 429 || (response.status >= 500 && response.status !== 501)
      if (!again || tries === MOST_TRIES) return { response, tries, trigger }
    }
  }
  return {
    migratePassword: async (identifier: string, password: string, more: object = {}) => {
      const { response, ...how } = await call('/ory/password-migration', { identifier, password, ...more })
      return { ...how, status: response.status, outcome: await outcomeOf(response) }
    },
    register: async (traits: Readonly<Record<string, unknown>>) => {
      const { response, ...how } = await call('/ory/registration', { traits, flow_id: randomUUID() })
      return { ...how, status: response.status, ...(await registrationOf(response, traits)) }
    },
  }
}

async function outcomeOf(response: Response): Promise<'signed-in' | 'refused' | 'bad-gateway'> {
  if (response.status === 403) return 'refused'
  if (response.status !== 200) return 'bad-gateway'
  const start = Buffer.from(await response.arrayBuffer()).subarray(0, 1024)
  return memberOf(start.toString(), 'status') === 'password_match' ? 'signed-in' : 'refused'
}

async function registrationOf(response: Response, traits: Readonly<Record<string, unknown>>) {
  const text = await response.text()
  if (response.status >= 400) {
    const messages = memberOf(text, 'messages')
    const told = Array.isArray(messages) && messages.length > 0
    return told ? { outcome: 'interrupted' as const, messages } : { outcome: 'error' as const }
  }
  const patch = response.status === 200 ? memberOf(text, 'identity') : undefined
  // The traits of the answer take the place of all others.
  return { outcome: 'registered' as const, traits: (patch as { traits?: unknown })?.traits ?? traits }
}

function memberOf(text: string, name: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown>)[name]
  } catch {
    return undefined
  }
}
