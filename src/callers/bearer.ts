import type { KeyObject } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import { createKeySet, type KeysCall, type PublicKey } from './key-set.ts'

/** Whose tokens are believed. */
export interface BearerTrust {
  /** The claim `iss`, to the letter. */
  readonly issuer: string
  /** The claim `aud`, or one of its values. */
  readonly audience: string
  /** Where the issuer publishes its keys (RFC 7517). */
  readonly keysUrl: string
  /** Whether `keysUrl` may be http on 127.0.0.1. */
  readonly loopback?: boolean
  /** The applications that may call: `azp`, `appid` or `cid`. */
  readonly clients: readonly string[]
  /** What `scp` has to hold. */
  readonly scope?: string
}

export interface BearerOptions extends BearerTrust {
  /** How the issuer is asked for its keys. */
  readonly ask: KeysCall
  /** Milliseconds; see KeySetOptions. */
  readonly fetchWithin?: number
  readonly coolDown?: number
  readonly refreshEvery?: number
  readonly staleAfter?: number
  readonly failed?: (code: string) => void
}

export interface BearerCheck {
  /** Fetches the issuer's keys. Throws Failure `unavailable`; they are then fetched in the background. */
  warm(): Promise<void>
  /**
   * Whether a value of the Authorization header is `Bearer` and a token (RFC 6750) of the issuer's for us. Throws Failure
   * `unavailable` when the keys cannot be had: an outage makes nobody a stranger, and lets nobody in.
   */
  matches(authorization: string | undefined): Promise<boolean>
  stop(): void
}

/** What a key signs with. `none` and every HS* are in no list: a public key is no secret. */
const algorithms: Readonly<Record<string, readonly string[]>> = { rsa: ['RS256', 'PS256'], ec: ['ES256'] }
const everyAlgorithm = Object.values(algorithms).flat()

/** Seconds. Libraries allow up to five minutes; a minute is what clocks that are kept need. */
const CLOCK_TOLERANCE = 60

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const defaults = {
  // Within the shortest time that a provider waits, and long for a cached file.
  fetchWithin: 1_000,
  coolDown: 30_000,
  refreshEvery: HOUR_MS,
  // Keys that were withdrawn must not live on through an outage of ours; issuers ask to look daily.
  staleAfter: 24 * HOUR_MS,
}

/** A caller that proves itself by an OAuth 2.0 access token that is a signed JWT (RFC 7519, RFC 9068). */
export function createBearerCheck(options: BearerOptions): BearerCheck {
  const { keysUrl: url, ...rest } = options
  const keys = createKeySet({ ...defaults, ...rest, url })
  return {
    warm: keys.fetch,
    matches: async (authorization) => {
      const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? '')?.[1]
      if (token === undefined) return false
      // Before a key is looked for: a token that says itself that it is not for us costs no fetch.
      const claim = await refusing(() => ({ header: decodeProtectedHeader(token), claims: decodeJwt(token) }))
      if (claim === undefined || !isForUs(claim.claims, options)) return false
      const { alg, kid } = claim.header
      if (typeof kid !== 'string' || !everyAlgorithm.includes(alg ?? '')) return false
      const key = await keys.find(kid)
      if (key === undefined || !fits(key, alg)) return false
      const read = await refusing(() => verified(token, key.key, alg ?? '', options))
      return read !== undefined && isForUs(read, options)
    },
    stop: keys.stop,
  }
}

function fits({ key, alg: only }: PublicKey, alg: string | undefined): boolean {
  if (alg === undefined || (only !== undefined && only !== alg)) return false
  return algorithms[key.asymmetricKeyType ?? '']?.includes(alg) ?? false
}

async function verified(
  token: string,
  key: KeyObject,
  alg: string,
  { issuer, audience }: BearerTrust,
): Promise<JWTPayload> {
  const { payload } = await jwtVerify(token, key, {
    algorithms: [alg],
    issuer,
    audience,
    clockTolerance: CLOCK_TOLERANCE,
    requiredClaims: ['exp'],
  })
  return payload
}

function isForUs(claims: JWTPayload, { issuer, audience, clients, scope }: BearerTrust): boolean {
  const { iss, aud, exp, azp, appid, cid, scp } = claims as Readonly<Record<string, unknown>>
  if (iss !== issuer || ![aud].flat().includes(audience)) return false
  if (typeof exp !== 'number' || exp + CLOCK_TOLERANCE < Date.now() / 1_000) return false
  const callers = [azp, appid, cid].filter((caller) => caller !== undefined)
  if (callers.length === 0 || !callers.every((caller) => clients.includes(caller as string))) return false
  return scope === undefined || [scp].flat().some((one) => String(one).split(' ').includes(scope))
}

/** undefined where a token is not what it should be. Messages of jose can quote it, so they end here. */
async function refusing<Value>(read: () => Value | Promise<Value>): Promise<Value | undefined> {
  try {
    return await read()
  } catch (error) {
    // jose throws a TypeError for what is no token at all, and for a key that cannot be used.
    if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined
    throw error
  }
}
