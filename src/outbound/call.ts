/** What may be asked of another machine. The host is that of the client's own list; nothing of an answer changes it. */
export interface OutboundRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Absolute, https. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Text as it is sent, or bytes. */
  readonly body?: string | Uint8Array
  /** Milliseconds for the whole exchange; the client's own limit when absent or longer. */
  readonly within?: number
}

export interface OutboundAnswer {
  readonly status: number
  /** Names in lower case; of a name that came several times, the values joined by a comma. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

/** Why a call came to nothing. The code is a word of ours and repeats nothing of the answer. */
export type CallFailureCode =
  /** The address may not be called: scheme, host, port or resolved address. */
  | 'forbidden-address'
  /** A redirect, which is never followed. */
  | 'redirect'
  | 'timeout'
  | 'too-large'
  | 'unreachable'
  | 'tls'
  | 'malformed'

/** The call came to nothing: nobody knows whether it was heard. */
export class CallFailure extends Error {
  readonly code: CallFailureCode

  constructor(code: CallFailureCode) {
    super(`the call failed: ${code}`)
    this.name = 'CallFailure'
    this.code = code
  }
}

/** Makes one call. Any status is an answer; throws CallFailure. */
export type Call = (request: OutboundRequest) => Promise<OutboundAnswer>
