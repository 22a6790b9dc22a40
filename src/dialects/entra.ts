import { z } from 'zod'
import type { BearerTrust } from '../callers/bearer.ts'
import type { Verdict } from '../domain.ts'
import type { Failure } from '../errors.ts'
import type {
  AttemptHook,
  AttemptQuestion,
  Dialect,
  DialectSetting,
  HandshakeHook,
  OwnSettings,
  Reply,
} from './dialect.ts'
import { type DecryptionKeys, decryptionKeys, openEnvelope } from './entra-envelope.ts'

/** Microsoft's own application "Azure AD Authentication Events", which makes these calls in every tenant. */
const CALLER = '99045fe1-7639-4a75-9d4a-577b6ca3810f'

const PATH = '/entra/password-submit'

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const OPTIONAL_GUID = /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$/i
/** http on this machine alone: for a cache beside the service, and for trying out. */
const KEYS_URL = /^(https:\/\/[^\s@]+|http:\/\/127\.0\.0\.1(:\d+)?\/[^\s@]*)?$/

const settings: Readonly<Record<string, DialectSetting>> = {
  TENANT_ID: {
    purpose:
      'The directory (tenant) ID of the external tenant. Without it, `ENTRA_DOMAIN` or `ENTRA_ISSUER`, `ENTRA_AUDIENCE` and `ENTRA_KEY` there are no routes of this dialect.',
    default: '',
    fits: OPTIONAL_GUID,
    expected: 'a GUID',
  },
  DOMAIN: {
    purpose:
      'The host name of the sign-in pages, such as `contoso.ciamlogin.com`. The issuer of the tokens and the address of its keys are made from it.',
    default: '',
    fits: /^([a-z0-9-]+(\.[a-z0-9-]+)+)?$/i,
    expected: 'a host name',
  },
  ISSUER: {
    purpose:
      "The `issuer` of the tenant's OpenID configuration, in place of what `ENTRA_DOMAIN` makes of it.",
    default: '',
    fits: /^(https:\/\/[^\s@?#]+)?$/,
    expected: 'an address https://...',
  },
  JWKS_URL: {
    purpose:
      "Where the issuer's keys are, in place of the address that is made from the issuer: for national clouds and tokens of version 1. http is taken for 127.0.0.1 alone.",
    default: '',
    fits: KEYS_URL,
    expected: 'an address https://...',
  },
  AUDIENCE: {
    purpose:
      'The application (client) ID of the app registration of the custom extension, as the claim `aud` has it.',
    default: '',
    fits: /^\S*$/,
    expected: 'an application ID',
  },
  EXTENSION_ID: {
    purpose: 'The ID of the custom authentication extension. Set: calls of any other one are refused.',
    default: '',
    fits: OPTIONAL_GUID,
    expected: 'a GUID',
  },
  BLOCK_DISABLED: {
    purpose:
      'Whether a user who is disabled or locked is answered `Block`, with words that say so, in place of `Retry`. Whoever types that login, with any password, then learns that there is such a user.',
    default: 'off',
    fits: /^(off|on)$/,
    expected: 'one of off, on',
  },
  KEY: {
    purpose:
      'PEM private keys, RSA of 2048 bits or more, whose public keys the app registration has for encryption. Several at once, so that one can be rotated.',
    default: '',
    fits: (text) => text === '' || decryptionKeys(text) !== undefined,
    expected: 'one or more RSA private keys of 2048 bits or more in PEM, without a passphrase',
    secret: true,
  },
}

/**
 * Microsoft Entra External ID: just-in-time password migration, event OnPasswordSubmit.
 * https://learn.microsoft.com/entra/external-id/customers/how-to-migrate-passwords-just-in-time
 *
 * The call proves itself by a token of the tenant's; the password travels encrypted for us alone, whatever ends TLS.
 */
export const entra: Dialect = {
  name: 'entra',
  title: 'Microsoft Entra External ID',
  returnsProfile: false,
  // The sample configures 2 s, the most that Entra waits.
  answerWithin: 1_500,
  confirms: false,
  settings,
  caller: { needs: [['TENANT_ID'], ['DOMAIN', 'ISSUER'], ['AUDIENCE'], ['KEY']], trust },
  hooks: (own) => [endpointProbe(), passwordSubmit(own)],
  failure,
}

function trust({ TENANT_ID, DOMAIN, ISSUER, JWKS_URL, AUDIENCE = '' }: OwnSettings): BearerTrust {
  const issuer = ISSUER || `https://${DOMAIN}/${TENANT_ID}/v2.0`
  const keysUrl = JWKS_URL || `${issuer.replace(/(\/v2\.0)?\/?$/, '')}/discovery/v2.0/keys`
  return { issuer, keysUrl, loopback: keysUrl === JWKS_URL, audience: AUDIENCE, clients: [CALLER] }
}

/** Entra, and Microsoft's own samples, look with GET whether there is an endpoint at all. */
function endpointProbe(): HandshakeHook {
  return {
    flow: 'handshake',
    name: 'endpoint-probe',
    method: 'GET',
    path: PATH,
    open: true,
    answer: () => ({ status: 200, body: {} }),
  }
}

function passwordSubmit(own: OwnSettings): AttemptHook {
  const keys = decryptionKeys(own.KEY ?? '') ?? []
  return {
    flow: 'attempt',
    name: 'password-submit',
    method: 'POST',
    path: PATH,
    schema: callout(own).transform((call, checked) => questionOf(call, keys, checked)),
    example: {
      type: 'microsoft.graph.authenticationEvent.passwordSubmit',
      source:
        '/tenants/00000000-0000-4000-8000-000000000001/applications/00000000-0000-4000-8000-000000000002',
      data: {
        '@odata.type': 'microsoft.graph.onPasswordSubmitCalloutData',
        tenantId: '00000000-0000-4000-8000-000000000001',
        customAuthenticationExtensionId: '00000000-0000-4000-8000-000000000003',
        encryptedPasswordContext: 'header.key.vector.text.tag',
        authenticationContext: { correlationId: 'request-1', user: { mail: 'ann@example.com' } },
      },
    },
    answer: (verdict, { echo }) => ({
      status: 200,
      body: {
        data: {
          '@odata.type': 'microsoft.graph.onPasswordSubmitResponseData',
          actions: [actionOf(verdict, own.BLOCK_DISABLED === 'on')],
          nonce: echo?.nonce,
        },
      },
    }),
  }
}

/** An optional part that has another type than expected is as good as absent. */
const optionalText = z.string().optional().catch(undefined)

function callout({ TENANT_ID = '', EXTENSION_ID = '' }: OwnSettings) {
  const guid = z.string().regex(GUID)
  return z.object({
    type: z.literal('microsoft.graph.authenticationEvent.passwordSubmit'),
    data: z.object({
      tenantId: guid.refine((id) => isSame(id, TENANT_ID)),
      customAuthenticationExtensionId:
        EXTENSION_ID === '' ? z.unknown() : guid.refine((id) => isSame(id, EXTENSION_ID)),
      // Microsoft's tool sends passwords in the clear under this name, for testing.
      passwordContext: z.undefined().optional(),
      encryptedPasswordContext: z.string(),
      authenticationContext: z.object({
        correlationId: optionalText,
        user: z.object({ mail: optionalText }).optional().catch(undefined),
      }),
    }),
  })
}

function isSame(id: string, configured: string): boolean {
  return id.toLowerCase() === configured.toLowerCase()
}

async function questionOf(
  { data }: z.output<ReturnType<typeof callout>>,
  keys: DecryptionKeys,
  checked: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): Promise<AttemptQuestion> {
  const { correlationId, user } = data.authenticationContext
  const refuse = (path: string[], message: string) => {
    checked.addIssue({ code: 'custom', path: ['data', ...path], message })
    return z.NEVER
  }
  const context = await openEnvelope(data.encryptedPasswordContext, keys)
  if (context === undefined) return refuse(['encryptedPasswordContext'], 'expected an envelope for our keys')
  // Never userPrincipalName: of local accounts it is made up by Entra.
  const login = [context.username, user?.mail].find((name) => name !== undefined && name.trim() !== '')
  if (login === undefined) return refuse(['authenticationContext', 'user', 'mail'], 'expected a name')
  const { password, nonce } = context
  return { login, password, requestId: correlationId ?? null, echo: { nonce } }
}

/** Retry is the refusal of Entra's that tells nothing: the person may type again. */
function actionOf(verdict: Verdict, blocks: boolean): Readonly<Record<string, string>> {
  switch (verdict.kind) {
    case 'match':
      return action('MigratePassword')
    case 'disabled':
      if (!blocks) return action('Retry')
      return {
        ...action('Block'),
        title: 'Sign-in blocked',
        message: 'This account is disabled. Please contact support.',
      }
    case 'mismatch':
    case 'unknown-login':
    case 'throttled':
    case 'unusable-hash':
    case 'migrated':
      return action('Retry')
  }
}

/** Spelled as in the documented schema; Microsoft's samples write `passwordsubmit` too. */
function action(name: 'MigratePassword' | 'Retry' | 'Block') {
  return { '@odata.type': `microsoft.graph.passwordSubmit.${name}` }
}

/** Whatever is not 200 with an action is an error to Entra, never a yes. */
function failure({ status, message, fields }: Failure): Reply {
  return { status, body: { status, title: message, ...(fields.length > 0 && { fields }) } }
}
