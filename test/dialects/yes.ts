/**
 * What each provider takes for "the password is right", from its own documentation or source, by dialect. `status` and
 * `body` (parsed; undefined: none, or no JSON) are what it reads of an answer to the question with the password in it.
 */
export const takenForYes: Readonly<Record<string, (status: number, body: unknown) => boolean>> = {
  // A command VERIFIED in an answer with status 200.
  okta: (status, body) =>
    status === 200 &&
    list(body, 'commands').some((command) => at(command, 'value', 'credential') === 'VERIFIED'),
  // selfservice/hook/password_migration_hook.go: exactly 200, and this status in the body.
  ory: (status, body) => status === 200 && at(body, 'status') === 'password_match',
  // Any 200, whatever the body; and redirects are followed.
  keycloak: (status) => status === 200 || (status >= 300 && status < 400),
  // Any 200. Redirects are not documented, so none may be given.
  fusionauth: (status) => status === 200 || (status >= 300 && status < 400),
  // Both actions mean that the password was right; the spelling of their types varies between samples.
  entra: (status, body) =>
    status === 200 &&
    list(body, 'data', 'actions').some((action) =>
      /\.(MigratePassword|UpdatePassword)$/i.test(String(at(action, '@odata.type'))),
    ),
  generic: (status, body) => status === 200 && at(body, 'verdict') === 'match',
}

function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  )
}

function list(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}
