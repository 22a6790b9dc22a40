// How the public keys of issuers are fetched: as every other call to another machine, at addresses that may be called.
import type { BlockList } from 'node:net'
import type { KeysCall } from './callers/key-set.ts'
import { Failure } from './errors.ts'
import { mayBeCalled } from './outbound/addresses.ts'
import { CallFailure, type CallFailureCode } from './outbound/call.ts'
import { type Caller, createCaller } from './outbound/client.ts'

/** Bytes. Large issuers have some 15 KiB, certificates included. */
const LARGEST_SET = 256 * 1024

const LOOPBACK = '127.0.0.1'

export interface KeysCallOptions {
  /** PEM of all authorities; absent: those of Node.js. */
  readonly ca?: string
  /** Addresses that may be called though they are not public: of an issuer inside the company. */
  readonly allowAddresses: BlockList
  /** The addresses of a name, instead of those that the system tells. */
  readonly resolve?: (name: string) => Promise<readonly string[]>
}

/** Calls by HTTPS, and by HTTP a process of this machine where its address is allowed, as that of a proxy for the way out. */
export function createKeysCall(options: KeysCallOptions): KeysCall {
  const callers = new Map<string, Caller>()
  const ended = new AbortController()
  const callerFor = (host: string) => {
    const known = callers.get(host)
    if (known !== undefined) return known
    const caller = createCaller({ ...options, hosts: [host], mostBytes: LARGEST_SET })
    callers.set(host, caller)
    return caller
  }
  const call = async (url: URL, within: number) => {
    try {
      if (url.protocol !== 'http:')
        return await callerFor(url.host)({
          method: 'GET',
          url: url.href,
          headers: { accept: 'application/json' },
          within,
        })
      if (url.hostname !== LOOPBACK || !mayBeCalled(LOOPBACK, options.allowAddresses))
        throw new CallFailure('forbidden-address')
      return await askHere(url, AbortSignal.any([ended.signal, AbortSignal.timeout(within)]))
    } catch (error) {
      throw new Failure('unavailable', { detail: codeOf(error) })
    }
  }
  return Object.assign(call, {
    close: () => {
      ended.abort()
      for (const caller of callers.values()) caller.close()
    },
  })
}

/** A RangeError is that of a host which no two readers take in the same way. */
function codeOf(error: unknown): CallFailureCode {
  if (error instanceof CallFailure) return error.code
  return error instanceof RangeError ? 'forbidden-address' : 'unreachable'
}

async function askHere(url: URL, signal: AbortSignal): Promise<{ status: number; text: string }> {
  // Whoever can make the issuer's host redirect must not choose where keys come from.
  const response = await fetch(url, { redirect: 'error', signal, headers: { accept: 'application/json' } })
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    // Leaving the loop cancels the rest.
    if (length > LARGEST_SET) throw new CallFailure('too-large')
    parts.push(part)
  }
  return { status: response.status, text: Buffer.concat(parts).toString('utf8') }
}
