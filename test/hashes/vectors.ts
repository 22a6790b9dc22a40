import { readFileSync } from 'node:fs'
import type { Defect, StoredHash } from '../../src/domain.ts'
import type { HashContext } from '../../src/hashes/context.ts'
import { NO_CONTEXT } from '../../src/hashes/context.ts'
import { hardeningOf } from '../../src/hashes/hardening.ts'

/** A published pair of password and stored hash. `here`: where our answer is meant to differ, and why. */
interface Published {
  readonly id: string
  readonly source: string
  readonly encoded: string
  readonly scheme?: string
  readonly salt?: string
  readonly login?: string
  /** The id of the row. */
  readonly row?: string
  readonly pepper?: string
  /** Other secrets of the operator's, by name. */
  readonly secrets?: Readonly<Record<string, string>>
  readonly password?: string
  readonly passwordHex?: string
  readonly expect: boolean
  readonly policy?: string
  /** Why reading it must fail. */
  readonly defect?: Defect
  readonly here?: { readonly expect: boolean; readonly because: string }
}

export interface Vector {
  readonly id: string
  readonly stored: StoredHash
  readonly context: HashContext
  readonly password: Buffer
  readonly expect: boolean
  /** Its parameters must be refused without being computed. */
  readonly bomb: boolean
  /** Why reading it must fail. */
  readonly defect: Defect | undefined
}

export function readVectors(name: string): readonly Vector[] {
  const file = new URL(`./vectors/${name}.json`, import.meta.url)
  const published: readonly Published[] = JSON.parse(readFileSync(file, 'utf8'))
  return published.map(
    ({
      id,
      encoded,
      scheme,
      salt,
      login,
      row,
      pepper,
      secrets,
      password,
      passwordHex,
      expect,
      policy,
      here,
      defect,
    }) => ({
      id,
      stored: { encoded, scheme: scheme ?? null, salt: salt ?? null, login: login ?? '', id: row ?? '' },
      context:
        name === 'hardened'
          ? HARDENING_CONTEXT
          : contextOf(pepper === undefined ? secrets : { ...secrets, pepper }, name === 'plaintext'),
      password: passwordHex === undefined ? Buffer.from(password ?? '') : Buffer.from(passwordHex, 'hex'),
      expect: here?.expect ?? expect,
      bomb: policy === 'dos-limit',
      defect,
    }),
  )
}

function contextOf(secrets: Readonly<Record<string, string>> | undefined, plaintext: boolean): HashContext {
  if (secrets === undefined && !plaintext) return NO_CONTEXT
  const entries = Object.entries(secrets ?? {})
  return {
    recipes: new Map(),
    secrets: new Map(entries.map(([secret, value]) => [secret, Buffer.from(value)])),
    plaintext,
  }
}

/** The key of the vectors of hardened hashes, and a cost that is soon over. */
export const HARDENING_SECRETS = new Map([
  ['hardening_key', Buffer.from('the hardening key of the vectors, 32 bytes and more')],
])
const HARDENING = hardeningOf(HARDENING_SECRETS, { kibibytes: 8, passes: 1, lanes: 1 })
if (HARDENING === undefined) throw new Error('there is no key')
export const HARDENING_CONTEXT = { ...NO_CONTEXT, plaintext: true, hardening: HARDENING }

/** Whatever any scheme may need. */
export const ALLOWED = contextOf(
  {
    pepper: 'pepper',
    firebase_signer_key: Buffer.alloc(64, 'Y').toString('base64'),
    firebase_salt_separator: 'Bw==',
  },
  true,
)

export function unsalted(encoded: string | null, scheme: string | null = null): StoredHash {
  return { encoded, scheme, salt: null, login: '', id: '' }
}
