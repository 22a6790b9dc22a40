import { z } from 'zod'
import { expected } from './read-answer.ts'
import type { Context, Finding, TargetUse } from './target.ts'

/** Members of a representation that are no attributes of their own. */
export const ROOT_ATTRIBUTES: ReadonlySet<string> = new Set([
  'username',
  'email',
  'emailVerified',
  'firstName',
  'lastName',
])

/** As the plug-in keycloak-user-migration calls itself. */
const PLUG_IN = 'User migration using a REST client'

/** With the role view-realm it is the whole realm, without it five members. */
const realmShape = z.object({
  enabled: z.boolean().optional(),
  verifyEmail: z.boolean().optional(),
  registrationEmailAsUsername: z.boolean().optional(),
})

const attributeShape = z.object({
  name: z.string(),
  required: z.object({ roles: z.array(z.string()).optional() }).nullish(),
  permissions: z.object({ edit: z.array(z.string()).default([]) }).nullish(),
})

const profileShape = z.object({
  attributes: z.array(attributeShape).default([]),
  unmanagedAttributePolicy: z.string().optional(),
})

const componentsShape = z.array(
  z.object({
    providerId: z.string(),
    config: z.object({ enabled: z.array(z.string()).optional() }).optional(),
  }),
)

/** What makes the realm unfit, from three questions to its Admin API. `check` throws for answers that end a run. */
export async function examineRealm(
  realmUrl: string,
  idAttribute: string,
  context: Context,
  use: TargetUse,
  check: (answer: Awaited<ReturnType<Context['call']>>) => void,
): Promise<readonly Finding[]> {
  const ask = async (path: string) => {
    const answer = await context.call({ method: 'GET', url: realmUrl + path })
    if (answer.status !== 403) check(answer)
    return answer
  }
  const realm = await ask('')
  const profile = await ask('/users/profile')
  if (realm.status === 403 || profile.status === 403) {
    const text =
      'The client may not manage users: give its service account the roles manage-users and view-users of realm-management.'
    return [{ severity: 'error', code: 'role-missing', text }]
  }
  const findings = [
    ...ofRealm(expected(realm, realmShape)),
    ...ofProfile(expected(profile, profileShape), idAttribute, use.attributes),
  ]
  const plugIns = await ask('/components?type=org.keycloak.storage.UserStorageProvider')
  if (plugIns.status === 403)
    return [...findings, unseen('hook-not-seen', 'whether the plug-in of the hook is on')]
  return [...findings, ...ofPlugIns(expected(plugIns, componentsShape), use)]
}

function ofRealm(realm: z.infer<typeof realmShape>): Finding[] {
  const findings: Finding[] = []
  if (realm.enabled === false)
    findings.push({
      severity: 'warning',
      code: 'realm-disabled',
      text: 'The realm is not enabled: nobody signs in.',
    })
  if (realm.verifyEmail === undefined)
    findings.push(unseen('verify-email-not-seen', 'whether the realm verifies e-mail addresses'))
  if (realm.verifyEmail === true) {
    const text =
      'The realm verifies e-mail addresses: at the first sign-in a mail goes to every user who comes without emailVerified.'
    findings.push({ severity: 'warning', code: 'verify-email', text })
  }
  if (realm.registrationEmailAsUsername === true) {
    const text = 'The realm takes the e-mail address for the username: logins that are no addresses are lost.'
    findings.push({ severity: 'warning', code: 'email-as-username', text })
  }
  return findings
}

/** An attribute that the user profile does not have is dropped without a word, as is one that administrators may not edit. */
function ofProfile(
  { attributes, unmanagedAttributePolicy: policy }: z.infer<typeof profileShape>,
  idAttribute: string,
  sent: readonly string[],
): Finding[] {
  // Where nobody is created or changed, nothing is sent and nothing is missing.
  if (sent.length === 0) return []
  const known = new Map(attributes.map((attribute) => [attribute.name, attribute]))
  const names = new Set([idAttribute, ...sent.filter((name) => !ROOT_ATTRIBUTES.has(name))])
  const findings: Finding[] = []
  for (const name of names) {
    const attribute = known.get(name)
    const open = policy === 'ENABLED' || policy === 'ADMIN_EDIT'
    if (attribute === undefined && !open) {
      const text = `The user profile has no attribute ${name}, and unmanaged attributes are off: its values would be dropped. Add it, or set unmanagedAttributePolicy to ADMIN_EDIT.`
      findings.push({ severity: 'error', code: 'attribute-undefined', text })
    }
    if (attribute?.permissions?.edit.includes('admin') === false) {
      const text = `Administrators may not edit the attribute ${name}: its values would be dropped.`
      findings.push({ severity: 'error', code: 'attribute-read-only', text })
    }
  }
  const all = new Set([...names, ...sent, 'username', 'email'])
  for (const { name, required } of attributes) {
    if (required === undefined || required === null || all.has(name)) continue
    const always = required.roles === undefined || required.roles.includes('admin')
    findings.push(
      always
        ? {
            severity: 'error',
            code: 'attribute-required',
            text: `The user profile wants ${name}, and the plan does not send it.`,
          }
        : {
            severity: 'warning',
            code: 'asked-at-sign-in',
            text: `The user profile wants ${name}, and the plan does not send it: users are asked for it, and the token endpoint refuses them until then.`,
          },
    )
  }
  return findings
}

/** Keycloak asks the plug-in too before it makes a user, and answers 409 for whom the hook knows. Seen with 26.4.2. */
function ofPlugIns(components: z.infer<typeof componentsShape>, use: TargetUse): Finding[] {
  const on = components.some(
    ({ providerId, config }) => providerId === PLUG_IN && config?.enabled?.[0] !== 'false',
  )
  if (use.hook && !on) {
    const text = `The realm has no user federation "${PLUG_IN}" that is enabled: nobody asks the hook.`
    return [{ severity: use.hash ? 'warning' : 'error', code: 'hook-inactive', text }]
  }
  if (use.hash && on) {
    const text = `The user federation "${PLUG_IN}" is enabled: Keycloak asks it about every user that is brought, and refuses those whom the hook knows. Switch it off until they are there.`
    return [{ severity: 'error', code: 'hook-in-the-way', text }]
  }
  return []
}

function unseen(code: string, what: string): Finding {
  const text = `It could not be seen ${what}: the service account has not the role view-realm.`
  return { severity: 'warning', code, text }
}
