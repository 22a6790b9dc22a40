import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Call } from '../http.ts'
import { list, Misfit } from '../setting-texts.ts'
import { proofKind } from './proof.ts'
import { createSeenIds } from './seen.ts'

/** Seconds that the sender's clock may differ from ours, in both directions. The specification's libraries have five minutes. */
const TOLERANCE_S = 300

/** A timestamp of the future is accepted for as long before its moment as after. */
const REMEMBERED_MS = 2 * TOLERANCE_S * 1_000

/** Some 70 MB, and 800 signed calls a second for as long as ids are remembered. */
const MOST_IDS = 500_000

/** Bytes. The specification asks for 24 at least. */
const SHORT_KEY = 24

const PREFIX = 'whsec_'

/**
 * HMAC-SHA256 over id, timestamp and body, as `v1` of Standard Webhooks 1.0.0.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export const standardWebhooks = proofKind<{ HMAC_SECRETS: readonly Buffer[] }>({
  settings: {
    HMAC_SECRETS: {
      read: readKeys,
      secret: true,
      purpose: (title) =>
        `Comma-separated; each is \`whsec_\` and a key in base64, of ${SHORT_KEY} bytes or more, with which ${title} signs its calls as Standard Webhooks say. Several at once, so that one can be rotated.`,
      weakness: (keys) =>
        keys.some(({ length }) => length < SHORT_KEY)
          ? `holds a key shorter than ${SHORT_KEY} bytes`
          : undefined,
      bare: (keys) => keys.map((key) => key.toString('latin1')),
    },
  },
  create: ({ HMAC_SECRETS: first = [] }) => {
    if (first.length === 0) return null
    let keys = first
    const seen = createSeenIds(REMEMBERED_MS, MOST_IDS)
    const claims = new WeakMap<Call, string>()
    return {
      needsBody: true,
      possible: (call) => readSigned(call) !== null,
      matches: (call, body) => {
        const signed = readSigned(call)
        if (signed === null || !isSignedBy(keys, signed, body)) return false
        if (!seen.claim(signed.id)) return false
        claims.set(call, signed.id)
        return true
      },
      unanswered: (call) => {
        const id = claims.get(call)
        if (id !== undefined) seen.release(id)
      },
      // What was seen stays seen: a recorded call must not count again because a key was added.
      renew: ({ HMAC_SECRETS: next = [] }) => {
        keys = next
      },
    }
  },
})

function readKeys(text: string): readonly Buffer[] {
  return list(1)(text).map((secret) => {
    const encoded = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : ''
    const key = Buffer.from(encoded, 'base64')
    if (
      key.length === 0 ||
      key.toString('base64').replace(/(?<!=)=+$/, '') !== encoded.replace(/(?<!=)=+$/, '')
    )
      throw new Misfit('a comma-separated list of whsec_ and base64')
    return key
  })
}

interface Signed {
  readonly id: string
  readonly timestamp: string
  readonly signatures: readonly Buffer[]
}

/** null: not all of the three headers, or not of this moment. A full stop in an id would let text move between the parts. */
function readSigned({ header }: Call): Signed | null {
  const id = header('webhook-id') ?? ''
  const timestamp = header('webhook-timestamp') ?? ''
  const signatures = (header('webhook-signature') ?? '')
    .split(' ')
    .flatMap((signature) => (signature.startsWith('v1,') ? [Buffer.from(signature.slice(3))] : []))
  if (!/^[\x21-\x2d\x2f-\x7e]{1,256}$/.test(id) || !/^\d{1,12}$/.test(timestamp)) return null
  if (!(Math.abs(Date.now() / 1_000 - Number(timestamp)) <= TOLERANCE_S)) return null
  return signatures.length === 0 ? null : { id, timestamp, signatures }
}

function isSignedBy(keys: readonly Buffer[], { id, timestamp, signatures }: Signed, body: Buffer): boolean {
  let found = false
  for (const key of keys) {
    const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body)
    const right = Buffer.from(hmac.digest('base64'))
    for (const signature of signatures) {
      const equal = signature.length === right.length && timingSafeEqual(signature, right)
      found = found || equal
    }
  }
  return found
}
