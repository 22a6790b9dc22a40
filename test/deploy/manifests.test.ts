import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { commands } from '../../src/cli.ts'
import { STOP_LIMIT_MS } from '../../src/commands/serve.ts'
import { settings } from '../../src/config.ts'
import { ACCOUNTS } from './accounts.ts'
import { argumentsOf, instruction } from './dockerfile.ts'
import { readYaml, type Yaml } from './yaml.ts'

const MANIFESTS = 'deploy/kubernetes'
const files = ['compose.yaml', ...readdirSync(MANIFESTS).map((name) => join(MANIFESTS, name))]

/** The value at a path such as `spec.template`; a number counts into a list. */
function at(value: Yaml | undefined, path: string): Yaml | undefined {
  return path.split('.').reduce<Yaml | undefined>((from, key) => {
    if (Array.isArray(from)) return from[Number(key)]
    return typeof from === 'object' && from !== null ? from[key] : undefined
  }, value)
}

function items(value: Yaml | undefined): Yaml[] {
  return Array.isArray(value) ? value : []
}

function entries(value: Yaml | undefined): [string, Yaml][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
}

const objects = files.slice(1).flatMap((file) => readYaml(readFileSync(file, 'utf8')))
const ofKind = (kind: string) => objects.filter((object) => at(object, 'kind') === kind)
const only = (kind: string, name: string) => {
  const [found, ...more] = ofKind(kind).filter((object) => at(object, 'metadata.name') === name)
  expect(more).toEqual([])
  return found
}
const pods = [...ofKind('Deployment'), ...ofKind('Job')].map((object) => ({
  name: String(at(object, 'kind')),
  pod: at(object, 'spec.template.spec'),
  labels: at(object, 'spec.template.metadata.labels'),
}))

const [compose] = readYaml(readFileSync('compose.yaml', 'utf8'))
const services = Object.fromEntries(entries(at(compose, 'services')))
const ours = Object.entries(services).filter(([, service]) => at(service, 'image') === 'carryover:local')

const isSetting = (name: string) =>
  name in settings || (name.endsWith('_FILE') && 'secret' in (settings[name.slice(0, -5)] ?? {}))

/** Of the Dockerfile: heap, and what is left for code, threads, buffers and connections. */
const HEAP_MIB = Number(/--max-old-space-size=(\d+)/.exec(instruction('ENTRYPOINT'))?.[1])
const REST_MIB = 192

test.each(files)('%s is read as an ordinary reader reads it', (file) => {
  const script = 'import json,sys,yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))'
  const { status, stdout } = spawnSync('python3', ['-c', script], {
    input: readFileSync(file),
    encoding: 'utf8',
  })
  // Where there is no python3 with PyYAML, our reader stands alone: it throws at what it does not know.
  const read = readYaml(readFileSync(file, 'utf8'))
  expect(read.length).toBeGreaterThan(0)
  if (status === 0) expect(read).toEqual(JSON.parse(stdout))
})

test.each(['a: &b c', 'a: *b', 'a: |\n  b', 'a: {b: c}', "a: 'b'", '\ta: b', 'a: 1\na: 2', 'a: b\n   c: d'])(
  'the reader refuses what it does not know (%#)',
  (text) => {
    expect(() => readYaml(text)).toThrow('not understood')
  },
)

test('the image runs as the account that the manifests name', () => {
  expect(instruction('USER')).toBe('10001:10001')
  expect(argumentsOf('ENTRYPOINT').filter((flag) => flag === '--permission')).toHaveLength(1)
})

describe('compose.yaml', () => {
  test.each(ours)('%s is confined', (_, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      ulimits: { core: 0 },
      pids_limit: 128,
      mem_limit: '512m',
      tmpfs: ['/tmp:size=16m,mode=1777,noexec,nosuid,nodev'],
    })
    for (const unwanted of ['privileged', 'cap_add', 'user', 'network_mode', 'pid', 'ipc', 'devices'])
      expect(at(service, unwanted), unwanted).toBeUndefined()
  })

  test.each(Object.entries(services))(
    '%s: settings exist, secrets are files that somebody makes',
    (_, service) => {
      const maker = readFileSync('deploy/compose/make-secrets.sh', 'utf8')
      for (const secret of items(at(service, 'secrets')).map(String)) {
        expect(at(compose, `secrets.${secret}.file`), secret).toBe(`./secrets/${secret}`)
        const stem = secret.replace(
          /^(migrate|import|hooks|admin|purge|provision)-(password|database-url)$/,
          '$name-$2',
        )
        expect(maker).toContain(`put ${stem.includes('$name') ? `"${stem}"` : stem} `)
      }
      for (const [name, value] of entries(at(service, 'environment'))) {
        if (name.startsWith('POSTGRES_')) continue
        expect(isSetting(name), name).toBe(true)
        expect('secret' in (settings[name] ?? {}), `${name} stands in the environment`).toBe(false)
        const file = /^\/run\/secrets\/(.+)$/.exec(String(value))?.[1]
        if (name.endsWith('_FILE')) expect(items(at(service, 'secrets')), name).toContain(file)
      }
    },
  )

  test('the database is reached by its own network alone, and logs no values', () => {
    expect(at(compose, 'networks.database.internal')).toBe(true)
    expect(services.database).toMatchObject({
      networks: ['database'],
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    })
    expect(at(services.database, 'ports')).toBeUndefined()
    expect(items(at(services.database, 'command'))).toEqual(
      expect.arrayContaining([
        'log_parameter_max_length=0',
        'log_parameter_max_length_on_error=0',
        'log_statement=none',
      ]),
    )
  })

  test('the service has an account of its own for each of its parts', () => {
    for (const name of ['HOOKS', 'ADMIN', 'PURGE'])
      expect(at(services.carryover, `environment.${name}_DATABASE_URL_FILE`)).toBe(
        `/run/secrets/${name.toLowerCase()}-database-url`,
      )
  })

  test('the service waits for the migration, which waits for the database', () => {
    expect(at(services.carryover, 'depends_on.migrate.condition')).toBe('service_completed_successfully')
    expect(at(services.migrate, 'depends_on.database.condition')).toBe('service_healthy')
    expect(at(services.carryover, 'deploy.replicas')).toBe(2)
    // The service has no owner's account.
    expect(entries(at(services.carryover, 'environment')).map(([name]) => name)).not.toContain(
      'DATABASE_URL_FILE',
    )
  })

  test('ports are to this machine alone, and those that the service listens on', () => {
    expect(items(at(services.carryover, 'ports'))).toEqual([
      '127.0.0.1:8080-8081:8080',
      '127.0.0.1:8090-8091:8081',
    ])
    expect(at(services.carryover, 'environment.HOOKS_LISTEN')).toBe('0.0.0.0:8080')
    expect(at(services.carryover, 'environment.ADMIN_LISTEN')).toBe('0.0.0.0:8081')
    expect(instruction('EXPOSE')).toBe('8080 8081')
    expect(items(at(services.carryover, 'healthcheck.test'))).toEqual(['CMD', ...argumentsOf('HEALTHCHECK')])
  })

  test('what the service may take fits into its memory', () => {
    expect(
      Number(at(services.carryover, 'environment.CHECK_MEMORY_MIB')) + HEAP_MIB + REST_MIB,
    ).toBeLessThanOrEqual(512)
  })

  test.each(['make-secrets.sh', 'passwords.sh'])(
    '%s is a script that a shell reads, of every account',
    (name) => {
      const path = `deploy/compose/${name}`
      execFileSync('sh', ['-n', path])
      for (const account of Object.values(ACCOUNTS)) expect(readFileSync(path, 'utf8')).toContain(account)
    },
  )
})

describe.each(pods)('Kubernetes: $name', ({ pod, labels }) => {
  const container = at(pod, 'containers.0')

  test('the pod and its container are confined', () => {
    expect(items(at(pod, 'containers'))).toHaveLength(1)
    expect(at(pod, 'initContainers')).toBeUndefined()
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 10001,
        runAsGroup: 10001,
        fsGroup: 10001,
        seccompProfile: { type: 'RuntimeDefault' },
      },
    })
    expect(at(container, 'securityContext')).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    for (const unwanted of ['hostNetwork', 'hostPID', 'hostIPC', 'serviceAccountName'])
      expect(at(pod, unwanted), unwanted).toBeUndefined()
    expect(at(container, 'image')).toMatch(/@sha256:/)
    expect(at(container, 'resources.limits.memory')).toBe('512Mi')
    expect(at(container, 'resources.requests.memory')).toBeDefined()
    expect(Object(labels)['app.kubernetes.io/part-of']).toBe('carryover')
  })

  test('every setting exists, and every secret is a file that is mounted', () => {
    const [secretVolume] = items(at(pod, 'volumes')).filter((volume) => at(volume, 'name') === 'secrets')
    const secret = only('Secret', String(at(secretVolume, 'secret.secretName')))
    expect(at(secretVolume, 'secret.defaultMode')).toBe(0o440)
    const held = entries(at(secret, 'stringData')).map(([name]) => `/run/secrets/carryover/${name}`)
    const environment = items(at(container, 'env')).map(
      (one) => [String(at(one, 'name')), at(one, 'value')] as const,
    )
    for (const [name, value] of environment) {
      expect(isSetting(name), name).toBe(true)
      expect('secret' in (settings[name] ?? {}), `${name} stands in the environment`).toBe(false)
      if (name.endsWith('_FILE')) expect(held, name).toContain(value)
    }
    expect(environment.filter(([name]) => name.endsWith('_FILE')).map(([, value]) => value)).toEqual(held)
    expect(Object.fromEntries(environment).SECRET_FILE_MODE).toBe('0440')
    const mounts = items(at(container, 'volumeMounts')).map((mount) => [
      at(mount, 'mountPath'),
      at(mount, 'readOnly'),
    ])
    expect(mounts).toEqual([
      ['/run/secrets/carryover', true],
      ['/tmp', undefined],
    ])
    // Where node may read.
    expect(argumentsOf('ENTRYPOINT')).toContain('--allow-fs-read=/run/secrets')
  })

  test('it runs a command that there is', () => {
    const [name] = items(at(container, 'args'))
    expect(commands.map((command) => command.name)).toContain(name)
  })
})

describe('Kubernetes', () => {
  const deployment = only('Deployment', 'carryover')
  const container = at(deployment, 'spec.template.spec.containers.0')

  test('a rollout takes nobody away before another is ready, and a drained node never takes both', () => {
    expect(at(deployment, 'spec.replicas')).toBe(2)
    expect(at(deployment, 'spec.strategy.rollingUpdate')).toEqual({ maxUnavailable: 0, maxSurge: 1 })
    expect(at(only('PodDisruptionBudget', 'carryover'), 'spec.minAvailable')).toBe(1)
    expect(items(at(deployment, 'spec.template.spec.topologySpreadConstraints'))).toHaveLength(1)
    // Connections of each of three pods.
    const roles = readFileSync('deploy/roles.sql', 'utf8')
    for (const [account, connections] of [
      [ACCOUNTS.hooks, 8],
      [ACCOUNTS.admin, 2],
      [ACCOUNTS.purge, 1],
    ] as const) {
      const limit = new RegExp(`${account} connection limit (\\d+)`).exec(roles)?.[1]
      expect(Number(limit), account).toBeGreaterThanOrEqual(3 * connections)
    }
  })

  test('a pod takes calls until the cluster has stopped sending any, and has time to end by itself', () => {
    const delay = items(at(container, 'env')).find((one) => at(one, 'name') === 'SHUTDOWN_DELAY_SECONDS')
    expect(at(delay, 'value')).toBe('5')
    expect(at(container, 'lifecycle')).toBeUndefined()
    expect(Number(at(deployment, 'spec.template.spec.terminationGracePeriodSeconds'))).toBeGreaterThan(
      Number(at(delay, 'value')) + STOP_LIMIT_MS / 1_000,
    )
  })

  test('every probe asks the admin listener, at a path that it has', () => {
    for (const [probe, path] of [
      ['startupProbe', '/healthz'],
      ['livenessProbe', '/healthz'],
      ['readinessProbe', '/readyz'],
    ])
      expect(at(container, `${probe}.httpGet`)).toEqual({ path, port: 'admin' })
    expect(readFileSync('src/admin/app.ts', 'utf8')).toMatch(/'\/healthz'[\s\S]*'\/readyz'/)
  })

  test('ports match from the listener to the network policies', () => {
    const ports = Object.fromEntries(
      items(at(container, 'ports')).map((port) => [at(port, 'name'), at(port, 'containerPort')]),
    )
    expect(ports).toEqual({ hooks: 8080, admin: 8081 })
    for (const [name, port] of Object.entries(ports)) {
      const listen = items(at(container, 'env')).find(
        (one) => at(one, 'name') === `${name.toUpperCase()}_LISTEN`,
      )
      expect(at(listen, 'value')).toBe(`0.0.0.0:${port}`)
      expect(at(only('Service', `carryover-${name}`), 'spec.ports.0')).toEqual({
        name,
        port,
        targetPort: name,
      })
    }
    const allowed = ofKind('NetworkPolicy').flatMap((policy) =>
      items(at(policy, 'spec.ingress')).flatMap((rule) =>
        items(at(rule, 'ports')).map((port) => at(port, 'port')),
      ),
    )
    expect(allowed).toEqual([8080, 8081])
  })

  test('by default nothing comes in and nothing goes out', () => {
    expect(at(only('NetworkPolicy', 'nothing-else'), 'spec')).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    })
    const open = ofKind('NetworkPolicy').flatMap((policy) =>
      [...items(at(policy, 'spec.ingress')), ...items(at(policy, 'spec.egress'))].filter(
        (rule) =>
          items(at(rule, 'from') ?? at(rule, 'to')).length === 0 || items(at(rule, 'ports')).length === 0,
      ),
    )
    expect(open).toEqual([])
  })

  test('what the service may take fits into its memory, and its threads into its processors', () => {
    const value = (name: string) =>
      Number(
        at(
          items(at(container, 'env')).find((one) => at(one, 'name') === name),
          'value',
        ),
      )
    expect(value('CHECK_MEMORY_MIB') + HEAP_MIB + REST_MIB).toBeLessThanOrEqual(512)
    expect(value('CHECK_THREADS')).toBe(Number(at(container, 'resources.limits.cpu')))
  })

  test('the example holds no secret, and the service never sees the owner', () => {
    const secrets = ofKind('Secret').flatMap((secret) => entries(at(secret, 'stringData')))
    for (const [name, text] of secrets) expect(String(text), name).toMatch(/REPLACE/)
    const service = entries(at(only('Secret', 'carryover-service'), 'stringData')).map(([, text]) =>
      String(text),
    )
    expect(service.join(' ')).not.toContain(ACCOUNTS.migrate)
    for (const account of [ACCOUNTS.hooks, ACCOUNTS.admin, ACCOUNTS.purge])
      expect(service.join(' ')).toContain(`postgresql://${account}:`)
  })

  test('everything lives in the one namespace, which refuses what is not confined', () => {
    const namespace = only('Namespace', 'carryover')
    expect(Object(at(namespace, 'metadata.labels'))['pod-security.kubernetes.io/enforce']).toBe('restricted')
    for (const object of objects)
      if (at(object, 'kind') !== 'Namespace') expect(at(object, 'metadata.namespace')).toBe('carryover')
  })
})
