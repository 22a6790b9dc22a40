import { Failure } from '../../src/errors.ts'
import type { Call, Handler } from '../../src/http.ts'

/** Asks a handler without a network, in the words of the Fetch standard. */
export function requester(handler: Handler) {
  return async (path: string, init: RequestInit = {}): Promise<Response> => {
    const request = new Request(`http://test${path}`, init)
    const { status, headers, body } = await handler(callOf(path, request))
    return new Response(body ?? null, { status, headers })
  }
}

function callOf(path: string, request: Request): Call {
  return {
    method: request.method,
    path,
    header: (name) => request.headers.get(name) ?? undefined,
    remote: '127.0.0.1',
    certificate: () => null,
    body: async (most) => {
      const bytes = Buffer.from(await request.arrayBuffer())
      if (bytes.length > most) throw new Failure('too-large')
      return bytes
    },
    hasGone: () => false,
    onceGone: () => () => {},
  }
}
