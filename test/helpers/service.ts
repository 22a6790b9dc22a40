import type { LogEvent } from '../../src/log.ts'
import { expectNoPlanted, plant } from './canaries.ts'

/** The longest fixed values that tests sign calls with. */
export const SECRET = 'Bearer hook-secret-of-the-tests-0123456789'
export const SECOND_SECRET = 'Basic aG9vazpzZWNvbmQtc2VjcmV0LW9mLXRoZS10ZXN0cw=='
export const TOKEN = 'admin-token-of-the-tests-0123456789'

/** A log that keeps what it is told. */
export function logBook() {
  const events: LogEvent[] = []
  return { events, log: (event: LogEvent) => void events.push(event) }
}

export function passwordImport(username: unknown, password: unknown, eventId = 'event-1') {
  plant(password)
  return {
    eventId,
    eventType: 'com.okta.user.credential.password.import',
    data: {
      context: { request: { id: `request-${eventId}` }, credential: { username, password } },
      action: { credential: 'UNVERIFIED' },
    },
  }
}

export function signUp(login: string, email = login) {
  return {
    eventType: 'com.okta.user.pre-registration',
    requestType: 'self.service.registration',
    data: { userProfile: { login, email } },
  }
}

export function importEvent(
  login: string,
  uuid: string,
  result = 'SUCCESS',
  eventType = 'user.import.password',
) {
  return { uuid, eventType, outcome: { result }, target: [{ id: '00u', type: 'User', alternateId: login }] }
}

export function delivery(...events: object[]) {
  return { eventType: 'com.okta.event_hook', eventId: 'delivery-1', data: { events } }
}

/** An HTTP caller that sends what Okta sends. */
export function caller(base: string, secret = SECRET) {
  return async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(base + path, {
      method: 'POST',
      headers: { authorization: secret, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    const text = await response.text()
    expectNoPlanted('an answer', text)
    return { status: response.status, text, json: text === '' ? undefined : JSON.parse(text) }
  }
}
