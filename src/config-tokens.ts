import type { BearerTrust } from './callers/bearer.ts'
import { list, Misfit } from './setting-texts.ts'
import type { SettingsReader, Table } from './settings-reader.ts'

const NAMES = ['TOKEN_ISSUER', 'TOKEN_AUDIENCE', 'TOKEN_CLIENTS', 'TOKEN_KEYS_URL'] as const

/** OAuth 2.0 access tokens, for providers that can send one with each call. */
export function tokenSettings(prefix: string, title: string): Table {
  return {
    [`${prefix}_TOKEN_ISSUER`]: {
      read: text(/^(?:https?:\/\/\S+)?$/, 'a URL'),
      default: '',
      purpose: `The claim \`iss\`, to the letter, of the OAuth 2.0 access tokens with which ${title} calls. The next three settings belong to it.`,
    },
    [`${prefix}_TOKEN_AUDIENCE`]: {
      read: text(/^\S*$/, 'a text without blanks'),
      default: '',
      purpose: 'The claim `aud` that they must have.',
    },
    [`${prefix}_TOKEN_CLIENTS`]: {
      read: list(1),
      default: '',
      purpose: 'Comma-separated ids of the clients that may call: the claim `cid`, `azp` or `appid`.',
    },
    [`${prefix}_TOKEN_KEYS_URL`]: {
      read: text(/^(?:https:\/\/\S+|http:\/\/127\.0\.0\.1(?::\d+)?\/\S*)?$/, 'an https URL'),
      default: '',
      purpose:
        'Where the issuer publishes its keys (JWKS). Fetched at the start, every hour, and when a token names a key that is not known.',
    },
    [`${prefix}_TOKEN_SCOPE`]: {
      read: text(/^\S*$/, 'one scope'),
      default: '',
      purpose: 'A scope that the tokens must have, if any.',
    },
  }
}

function text(fits: RegExp, expected: string): (value: string) => string {
  return (value) => {
    if (!fits.test(value)) throw new Misfit(expected)
    return value
  }
}

/** null: not configured. Tells the reader of what is set by halves. */
export function readTrust(
  prefix: string,
  read: <Value>(name: string, otherwise: Value) => Value,
  reader: SettingsReader<Table>,
): BearerTrust | null {
  const missing = NAMES.filter((name) => read<string | readonly string[]>(name, '').length === 0)
  if (missing.length > 0) {
    if (missing.length < NAMES.length)
      for (const name of missing) reader.problem(`${prefix}_${name}`, 'is missing')
    return null
  }
  const scope = read('TOKEN_SCOPE', '')
  return {
    issuer: read('TOKEN_ISSUER', ''),
    audience: read('TOKEN_AUDIENCE', ''),
    clients: read<readonly string[]>('TOKEN_CLIENTS', []),
    keysUrl: read('TOKEN_KEYS_URL', ''),
    loopback: true,
    ...(scope !== '' && { scope }),
  }
}
