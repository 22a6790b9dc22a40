// An Ory Kratos set up with the blocks of docs/ory.md, and its API flows as a client takes
// them.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { answering, freePort, run, start } from './parts.mjs'

/** "The provided credentials are invalid": text/id.go of Kratos. */
const WRONG_CREDENTIALS = 4000006

const text = { type: 'string' }

const identifier = { ...text, 'ory.sh/kratos': { credentials: { password: { identifier: true } } } }

const email = {
  ...text,
  format: 'email',
  'ory.sh/kratos': { credentials: { password: { identifier: true } }, verification: { via: 'email' } },
}

const schema = {
  $id: 'https://example.com/person.schema.json',
  $schema: 'http://json-schema.org/draft-07/schema#',
  type: 'object',
  properties: {
    traits: {
      type: 'object',
      properties: {
        email,
        username: identifier,
        name: { type: 'object', properties: { first: text, last: text } },
      },
      required: ['email'],
      additionalProperties: false,
    },
  },
}

/** The YAML and JSON blocks of docs/ory.md, with this address and secret filled in. */
export async function documented(hooksUrl, authorization) {
  const page = await readFile(new URL('../../docs/ory.md', import.meta.url), 'utf8')
  const filled = page
    .replaceAll('https://HOOKS', hooksUrl)
    .replaceAll('Bearer THE-SECRET', `"${authorization}"`)
  const blocks = (language) =>
    [...filled.matchAll(/```(\w+)\n([\s\S]*?)```/g)]
      .filter(([, of]) => of === language)
      .map(([, , body]) => body)
  return { settings: blocks('yaml'), importBody: JSON.parse(blocks('json')[0]) }
}

/** Starts it on this empty PostgreSQL database, with the settings of the page beside its own. */
export async function startKratos(program, settings, databaseUrl) {
  const directory = await mkdtemp(join(tmpdir(), 'carryover-kratos-'))
  const [publicPort, adminPort] = [await freePort(), await freePort()]
  const publicUrl = `http://127.0.0.1:${publicPort}`
  const adminUrl = `http://127.0.0.1:${adminPort}`
  const own = ownSettings(publicPort, adminPort)
  // JSON is YAML as well.
  const files = [JSON.stringify(own), ...settings]
  const paths = files.map((_, at) => join(directory, `kratos-${at}.yml`))
  for (const [at, path] of paths.entries()) await writeFile(path, files[at])
  const config = paths.flatMap((path) => ['-c', path])
  // It knows the scheme by this name alone.
  const env = { DSN: databaseUrl.replace('postgresql:', 'postgres:'), SQA_OPT_OUT: 'true' }
  await run(program, ['migrate', 'sql', '-e', '--yes', ...config], env)
  const service = start(program, ['serve', ...config], env)
  await answering(`${adminUrl}/health/ready`, service)
  return {
    ...flows(publicUrl),
    ...identities(adminUrl),
    adminUrl,
    output: service.output,
    stop: async () => {
      await service.stop()
      await rm(directory, { recursive: true })
    },
  }
}

function ownSettings(publicPort, adminPort) {
  const listens = (port) => ({ host: '127.0.0.1', port, base_url: `http://127.0.0.1:${port}/` })
  const ui = 'http://127.0.0.1:9'
  return {
    serve: { public: listens(publicPort), admin: listens(adminPort) },
    selfservice: {
      default_browser_return_url: ui,
      // It would ask a service on the Internet whether a new password has been leaked.
      methods: { password: { enabled: true, config: { haveibeenpwned_enabled: false } } },
      flows: { registration: { enabled: true, ui_url: ui }, login: { ui_url: ui }, error: { ui_url: ui } },
    },
    identity: {
      default_schema_id: 'default',
      schemas: [{ id: 'default', url: `base64://${Buffer.from(JSON.stringify(schema)).toString('base64')}` }],
    },
    hashers: { algorithm: 'bcrypt', bcrypt: { cost: 8 } },
    secrets: { cookie: ['not-a-secret-0123456789'], cipher: ['not-a-secret-0123456789-01234567'] },
    courier: { smtp: { connection_uri: 'smtp://127.0.0.1:9/' } },
    log: { level: 'warning' },
  }
}

async function call(url, body, method = body === undefined ? 'GET' : 'POST') {
  const response = await fetch(url, {
    method,
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, json: await response.json() }
}

/** The flows for clients that are no browsers: one is begun, then answered. */
function flows(publicUrl) {
  const submit = async (flow, body) => {
    const { json } = await call(`${publicUrl}/self-service/${flow}/api`)
    return call(json.ui.action, { method: 'password', ...body })
  }
  return {
    /** What the person in front of the form is told. */
    signIn: async (identifier, password) => {
      const { status, json } = await submit('login', { identifier, password })
      if (status === 200 && typeof json.session_token === 'string') return { told: 'signed in' }
      if (status === 400 && json.ui?.messages?.some(({ id }) => id === WRONG_CREDENTIALS))
        return { told: 'wrong credentials' }
      return { told: 'an error', status }
    },
    /** Likewise, with the message beside a field, or the traits of the new identity. */
    register: async (traits, password) => {
      const { status, json } = await submit('registration', { traits, password })
      if (status === 200) return { told: 'registered', traits: json.identity.traits }
      const messages = (json.ui?.nodes ?? []).flatMap(({ attributes, messages }) =>
        messages.map(({ id, text }) => ({ field: attributes.name, id, text })),
      )
      return messages.length > 0 ? { told: 'refused', messages } : { told: 'an error', status }
    },
  }
}

function identities(adminUrl) {
  return {
    /** The batch as it is; what became of each: `create` or `error`. */
    importBatch: async (batch) => {
      const { status, json } = await call(`${adminUrl}/admin/identities`, batch, 'PATCH')
      return { status, actions: json.identities?.map(({ action }) => action), error: json.error?.message }
    },
    /** Everybody, page by page. */
    identities: async () => {
      const all = []
      for (let token = ''; ; ) {
        const response = await fetch(`${adminUrl}/admin/identities?page_size=500${token}`)
        all.push(...(await response.json()))
        const next = /<[^>]*[?&]page_token=([^&>]+)[^>]*>; rel="next"/.exec(
          response.headers.get('link') ?? '',
        )
        if (next === null) return all
        token = `&page_token=${next[1]}`
      }
    },
    /** The traits of the identities with this identifier. */
    traitsOf: async (identifier) => {
      const query = new URLSearchParams({ credentials_identifier: identifier })
      const { json } = await call(`${adminUrl}/admin/identities?${query}`)
      return json.map(({ traits }) => traits)
    },
  }
}
