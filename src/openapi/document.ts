import { ADMIN_SCHEME, adminPaths, adminSchemas, adminScheme } from './admin.ts'
import { callerName, callerScheme, hooksPaths, type Served } from './hooks.ts'
import type { Json, PathItem } from './parts.ts'

/** OpenAPI 3.1 of both listeners: the hooks that this process serves, and the admin listener. */
export function describeListeners(served: readonly Served[], version: string): Json {
  const callers = served.map(({ dialect }) => [callerName(dialect), callerScheme(dialect)] as const)
  return {
    openapi: '3.1.1',
    info: {
      title: 'Carryover',
      version,
      description:
        'Checks legacy password hashes at the first sign-in. Identity providers call the hooks listener; people and machines look at the admin listener. Only the hooks of configured providers are here.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths: {
      ...at('the hooks listener (HOOKS_LISTEN)', 'https://{hooks}', 'hooks.example.com', hooksPaths(served)),
      ...at('the admin listener (ADMIN_LISTEN)', 'http://{admin}', '127.0.0.1:8081', adminPaths),
    },
    components: {
      schemas: adminSchemas,
      securitySchemes: { [ADMIN_SCHEME]: adminScheme, ...Object.fromEntries(callers) },
    },
  }
}

/** The listeners have addresses of their own, so each path says where it is. */
function at(
  description: string,
  url: string,
  example: string,
  paths: Readonly<Record<string, PathItem>>,
): Record<string, PathItem> {
  const variable = /\{(\w+)\}/.exec(url)?.[1] ?? ''
  const servers = [{ url, description, variables: { [variable]: { default: example } } }]
  return Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, { servers, ...item }]))
}
