import { createPublicKey, type KeyObject } from 'node:crypto'
import { errorCode, Failure } from '../errors.ts'

/**
 * Asks an issuer for its keys: at this address and nowhere else, within so many milliseconds. Any status is an answer.
 * Throws Failure `unavailable`, whose detail repeats nothing of the answer.
 */
export interface KeysCall {
  (url: URL, within: number): Promise<{ readonly status: number; readonly text: string }>
  /** Ends what is under way. */
  close(): void
}

export interface KeySetOptions {
  /** https, or http on 127.0.0.1 where `loopback` allows it. Nothing of a request ever changes it. */
  readonly url: string
  readonly loopback?: boolean
  /** The network, bounded to addresses that may be called. */
  readonly ask: KeysCall
  /** Milliseconds that one fetch may take. */
  readonly fetchWithin: number
  /** Milliseconds between two fetches that requests asked for, and until a fetch in the background that failed is repeated. */
  readonly coolDown: number
  /** Milliseconds between two fetches in the background. */
  readonly refreshEvery: number
  /** Milliseconds for which keys are good that could not be fetched anew. */
  readonly staleAfter: number
  /** Told of every fetch that failed, by a code that repeats nothing of the answer. */
  readonly failed?: (code: string) => void
}

export interface PublicKey {
  readonly kid: string
  /** The only algorithm of this key, where its issuer says so. */
  readonly alg: string | undefined
  readonly key: KeyObject
}

export interface KeySet {
  /** Fetches, unless somebody does so already. Throws Failure `unavailable`. */
  fetch(): Promise<void>
  /**
   * The key of this id. An id that is not known is worth one fetch in a cool-down, because keys are rotated. Throws
   * Failure `unavailable` when there are no keys to be had.
   */
  find(kid: string): Promise<PublicKey | undefined>
  stop(): void
}

/** Bits of an RSA key (RFC 7518, section 3.3). */
const LEAST_MODULUS = 2_048

/** Throws a RangeError for an address that keys may not come from. */
export function createKeySet(options: KeySetOptions): KeySet {
  const url = trustedUrl(options)
  let keys: ReadonlyMap<string, PublicKey> = new Map()
  let fetched = Number.NEGATIVE_INFINITY
  let asked = Number.NEGATIVE_INFINITY
  let works = false
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const load = async () => {
    try {
      keys = readKeys(textOf(await options.ask(url, options.fetchWithin)))
      fetched = performance.now()
      works = true
    } catch (error) {
      works = false
      const code = errorCode(error)
      options.failed?.(code)
      throw new Failure('unavailable', { detail: `caller-keys-${code}` })
    } finally {
      running = undefined
      plan()
    }
  }
  const plan = () => {
    clearTimeout(timer)
    if (stopped) return
    timer = setTimeout(
      () => void fetchOnce().catch(() => {}),
      works ? options.refreshEvery : options.coolDown,
    ).unref()
  }
  const fetchOnce = () => {
    running ??= load()
    return running
  }
  const areGood = () => performance.now() - fetched < options.staleAfter
  const isCool = () => performance.now() - asked >= options.coolDown

  return {
    fetch: fetchOnce,
    find: async (kid) => {
      const known = areGood() ? keys.get(kid) : undefined
      if (known) return known
      if (running !== undefined) await running
      else if (isCool()) {
        asked = performance.now()
        await fetchOnce()
      }
      if (!works || !areGood()) throw new Failure('unavailable', { detail: 'caller-keys-unknown' })
      return keys.get(kid)
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
      options.ask.close()
    },
  }
}

function trustedUrl({ url, loopback = false }: KeySetOptions): URL {
  const read = new URL(url)
  const local = loopback && read.protocol === 'http:' && read.hostname === '127.0.0.1'
  if ((read.protocol !== 'https:' && !local) || read.username !== '' || read.password !== '')
    throw new RangeError('keys are fetched by https, without credentials in the address')
  return read
}

function textOf({ status, text }: Awaited<ReturnType<KeysCall>>): string {
  if (status !== 200) throw new Failure('unavailable', { detail: `status-${status}` })
  return text
}

/** The public keys for signatures in a set (RFC 7517). What is none, or cannot be read, is left out. Throws when nothing is left. */
function readKeys(text: string): ReadonlyMap<string, PublicKey> {
  const found = new Map<string, PublicKey>()
  for (const entry of entriesOf(text)) {
    const key = readKey(entry)
    if (key !== undefined && !found.has(key.kid)) found.set(key.kid, key)
  }
  if (found.size === 0) throw new Failure('unavailable', { detail: 'none' })
  return found
}

function entriesOf(text: string): readonly unknown[] {
  try {
    const { keys } = JSON.parse(text)
    return Array.isArray(keys) ? keys : []
  } catch {
    // The message of JSON.parse quotes its input.
    throw new Failure('unavailable', { detail: 'not-json' })
  }
}

function readKey(entry: unknown): PublicKey | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined
  const { kid, kty, use, alg, n, e, crv, x, y } = entry as Record<string, unknown>
  if (typeof kid !== 'string' || (use !== undefined && use !== 'sig')) return undefined
  const jwk = kty === 'RSA' ? { kty, n, e } : kty === 'EC' ? { kty, crv, x, y } : undefined
  if (jwk === undefined) return undefined
  try {
    const key = createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' })
    const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
    if (modulusLength < LEAST_MODULUS && namedCurve !== 'prime256v1') return undefined
    return { kid, alg: typeof alg === 'string' ? alg : undefined, key }
  } catch {
    return undefined
  }
}
