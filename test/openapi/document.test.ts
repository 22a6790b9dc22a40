import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { counts, provisioning, userHistory } from '../../src/admin/answers.ts'
import { dialects } from '../../src/dialects/index.ts'
import { okta } from '../../src/dialects/okta.ts'
import { describeListeners } from '../../src/openapi/document.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { defaultsOf } from '../helpers/flows.ts'
import { misfitsOf, type Schema } from '../helpers/json-schema.ts'
import { admin, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

type Node = Readonly<Record<string, unknown>>

/** https://spec.openapis.org/oas/3.1/schema/2022-10-07, of the OpenAPI Initiative, Apache-2.0. */
const openapi31: Schema = JSON.parse(
  readFileSync(new URL('openapi-3.1.schema.json', import.meta.url), 'utf8'),
)
const FIXTURES = fileURLToPath(new URL('../dialects/fixtures', import.meta.url))

/** What a schema within the document may be made of: less than JSON Schema allows, and all that ours use. */
const schemaOfSchemas: Schema = {
  $ref: '#/$defs/schema',
  $defs: {
    schema: {
      type: ['object', 'boolean'],
      properties: {
        $ref: { type: 'string', pattern: '^#/' },
        $defs: { $ref: '#/$defs/schemas' },
        type: {
          anyOf: [{ $ref: '#/$defs/type' }, { type: 'array', minItems: 1, items: { $ref: '#/$defs/type' } }],
        },
        properties: { $ref: '#/$defs/schemas' },
        propertyNames: { $ref: '#/$defs/schema' },
        additionalProperties: { $ref: '#/$defs/schema' },
        items: { $ref: '#/$defs/schema' },
        prefixItems: { type: 'array', minItems: 1, items: { $ref: '#/$defs/schema' } },
        anyOf: { type: 'array', minItems: 1, items: { $ref: '#/$defs/schema' } },
        oneOf: { type: 'array', minItems: 1, items: { $ref: '#/$defs/schema' } },
        allOf: { type: 'array', minItems: 1, items: { $ref: '#/$defs/schema' } },
        not: { $ref: '#/$defs/schema' },
        required: { type: 'array', items: { type: 'string' } },
        enum: { type: 'array', minItems: 1 },
        const: true,
        default: true,
        pattern: { type: 'string' },
        format: { type: 'string' },
        description: { type: 'string' },
        minimum: { type: 'number' },
        maximum: { type: 'number' },
        minLength: { type: 'integer', minimum: 0 },
        maxLength: { type: 'integer', minimum: 0 },
        minItems: { type: 'integer', minimum: 0 },
        maxItems: { type: 'integer', minimum: 0 },
      },
      additionalProperties: false,
    },
    schemas: { type: 'object', additionalProperties: { $ref: '#/$defs/schema' } },
    type: { enum: ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'] },
  },
}

/** Every hook of every dialect, whether it would be configured or not. */
const served = dialects.flatMap((dialect) =>
  dialect.hooks(defaultsOf(dialect)).map((hook) => ({ dialect, hook })),
)
const document = describeListeners(served, '1.2.3')
const whole: Node = JSON.parse(JSON.stringify(document))

/** Every operation with its path and method. */
const operations = Object.entries(whole.paths as Record<string, Node>).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([name]) => name === 'get' || name === 'post')
    .map(([method, operation]) => ({ path, method, operation: operation as Node })),
)

/** Every media type object below a node, with where it is. */
function mediaTypes(node: unknown, path = '#'): { path: string; media: Node }[] {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([name, below]) =>
    name === 'content'
      ? Object.entries(below as Record<string, Node>).map(([type, media]) => ({
          path: `${path}/${type}`,
          media,
        }))
      : mediaTypes(below, `${path}/${name}`),
  )
}

test('the document fits the schema of OpenAPI 3.1, and each of its schemas that of schemas', () => {
  expect(misfitsOf(openapi31, whole)).toEqual([])
  const { schemas } = whole.components as { schemas: Node }
  const every = [...Object.values(schemas), ...mediaTypes(whole.paths).map(({ media }) => media.schema)]
  for (const schema of every) expect(misfitsOf(schemaOfSchemas, schema)).toEqual([])
})

test('a document with a fault does not fit', () => {
  const { info, ...nameless } = whole
  expect(info).toBeDefined()
  expect(misfitsOf(openapi31, nameless)).not.toEqual([])
  expect(misfitsOf(openapi31, { ...whole, extra: 1 })).not.toEqual([])
  expect(misfitsOf(openapi31, { ...whole, paths: { nowhere: {} } })).not.toEqual([])
  expect(
    misfitsOf(openapi31, {
      ...whole,
      paths: { '/x': { get: { responses: { '2000': { description: '' } } } } },
    }),
  ).not.toEqual([])
  expect(misfitsOf(schemaOfSchemas, { type: 'text' })).not.toEqual([])
  expect(misfitsOf(schemaOfSchemas, { properties: { a: { typ: 'string' } } })).not.toEqual([])
})

test('every reference leads somewhere, names are unique, and path parameters are declared', () => {
  const pointers = [...JSON.stringify(whole).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    ([, pointer]) => pointer ?? '',
  )
  for (const pointer of pointers) {
    const target = pointer.split('/').reduce<unknown>((at, part) => (at as Node | undefined)?.[part], whole)
    expect(target, pointer).toBeDefined()
  }
  const ids = operations.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
  const { securitySchemes } = whole.components as { securitySchemes: Node }
  for (const { path, operation } of operations) {
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    expect(((operation.parameters ?? []) as Node[]).map(({ name }) => name)).toEqual(named)
    for (const requirement of operation.security as Node[])
      for (const name of Object.keys(requirement)) expect(securitySchemes).toHaveProperty([name])
  }
})

test('every hook is there; only health and the probe of an address are open', () => {
  const there = operations.map(({ path, method }) => `${method} ${path}`)
  for (const { hook } of served)
    expect(there).toContain(`${hook.method.toLowerCase()} ${hook.path.replace(/\*$/, '{rest}')}`)
  const probes = served.flatMap(({ hook }) => (hook.flow === 'handshake' && hook.open ? [hook.path] : []))
  const open = operations.filter(({ operation }) => (operation.security as unknown[]).length === 0)
  expect(open.map(({ path }) => path)).toEqual([...probes, '/healthz', '/readyz'])
})

test('a dialect that is not configured is not there', () => {
  const alone = JSON.stringify(describeListeners([], '1.2.3'))
  for (const { name } of dialects) expect(alone).not.toContain(`/${name}/`)
})

describe('examples', () => {
  test('each fits the schema beside it', () => {
    const shown = mediaTypes(whole.paths).flatMap(({ path, media }) => {
      const several = Object.values((media.examples ?? {}) as Record<string, Node>).map(({ value }) => value)
      return [...several, ...('example' in media ? [media.example] : [])].map((example) => ({
        path,
        media,
        example,
      }))
    })
    expect(shown.length).toBeGreaterThan(20)
    for (const { path, media, example } of shown) {
      const reference = (media.schema as Node).$ref as string | undefined
      const schema = reference === undefined ? media.schema : componentAt(reference)
      expect(misfitsOf(schema as Schema, example), path).toEqual([])
    }
  })

  const read = served.flatMap(({ dialect, hook }) =>
    'schema' in hook && hook.method === 'POST' ? [{ dialect, hook, path: hook.path }] : [],
  )

  test.each(read)('$path has one, and reads it', async ({ hook }) => {
    expect(hook.example).toBeDefined()
    const { error } = await hook.schema.safeParseAsync(hook.example)
    // Whether an id is the configured one is no question of form.
    expect(error?.issues.filter(({ code }) => code !== 'custom') ?? []).toEqual([])
  })

  test('need not be readable: settings that are those of the example do no harm', () => {
    for (const { dialect, hook } of read) {
      const preset = defaultsOf(dialect)
      const ids = JSON.stringify(hook.example).match(/[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/g) ?? []
      for (const id of ids)
        for (const name of Object.keys(preset)) {
          const its = dialect.hooks({ ...preset, [name]: id }).map((one) => ({ dialect, hook: one }))
          expect(() => describeListeners(its, '1.2.3')).not.toThrow()
        }
    }
  })

  test('the schema of a request takes what its hook takes: every recorded request', () => {
    const flows = {
      'password-import.request': 'attempt',
      registration: 'registration',
      'event-hook.delivery': 'confirmation',
    } as const
    const recorded = readdirSync(FIXTURES).filter((name) => /^okta.*(request|delivery).*\.json$/.test(name))
    expect(recorded.length).toBeGreaterThan(5)
    for (const name of recorded) {
      const flow = Object.entries(flows).find(([part]) => name.includes(part))?.[1]
      const hook = okta.hooks({}).find((one) => one.flow === flow)
      const operation = operations.find(
        ({ path, method }) => path === hook?.path && method === 'post',
      )?.operation
      if (hook === undefined || !('schema' in hook)) continue
      const body = JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'))
      const [request] = mediaTypes(operation?.requestBody)
      const fits = misfitsOf(request?.media.schema as Schema, body).length === 0
      expect(fits, name).toBe(hook.schema.safeParse(body).success)
    }
  })
})

function componentAt(reference: string): unknown {
  const parts = reference.replace('#/', '').split('/')
  return parts.reduce<unknown>((at, part) => (at as Node)[part], whole)
}

describe('the service', () => {
  let db: TestDatabase
  let service: ServiceProcess
  beforeAll(async () => {
    db = await testDatabase()
    await loadUsers(db.url, [
      { id: '1', login: 'ann@example.com', password_hash: md5('right password'), hash_scheme: 'md5' },
    ])
    service = await startProcess(db.url)
  })
  afterAll(async () => {
    service.child.kill()
    await service.ended
    await db.drop()
  })

  test('gives its description to whoever has the token', async () => {
    const { status, json } = await admin(service.adminUrl, '/openapi.json')
    const given = json() as Node
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect([status, given.info]).toMatchObject([200, { title: 'Carryover', version }])
    expect(misfitsOf(openapi31, given)).toEqual([])
    expect((await fetch(`${service.adminUrl}/openapi.json`)).status).toBe(401)
  })

  test('answers what the description says', async () => {
    const call = caller(service.hooksUrl)
    const answer = await call('/okta/password-import', passwordImport('ann@example.com', 'right password'))
    const described = operations.find(({ path }) => path === '/okta/password-import')?.operation as Node
    const shown = mediaTypes((described.responses as Node)['200'])[0]?.media.examples as Record<string, Node>
    expect(answer.json).toEqual(shown.match?.value)
    for (const [path, schema] of [
      ['/counts', counts],
      ['/provisioning', provisioning],
      ['/users/ann@example.com', userHistory],
    ] as const) {
      const { json } = await admin(service.adminUrl, path)
      expect(schema.strict().safeParse(json()).error).toBeUndefined()
    }
  })
})
