import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { dialects } from '../src/dialects/index.ts'

const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** What a folder, or a file at the top, may import besides itself. Files and folders that know everything are left out. */
const allowed: Record<string, readonly string[]> = {
  'domain.ts': [],
  'errors.ts': [],
  'duration.ts': [],
  'secrets.ts': [],
  'secret-strength.ts': [],
  'input.ts': [],
  'sheet.ts': [],
  'setting-texts.ts': [],
  'setting-files.ts': ['setting-texts.ts'],
  'settings-reader.ts': ['setting-files.ts', 'setting-texts.ts'],
  'settings-watch.ts': ['setting-files.ts'],
  'config-dialects.ts': [
    'secret-strength.ts',
    'setting-texts.ts',
    'settings-reader.ts',
    'callers',
    'config-tokens.ts',
    'dialects',
  ],
  'config-tokens.ts': ['callers', 'setting-texts.ts', 'settings-reader.ts'],
  'config-settings.ts': ['setting-files.ts', 'setting-texts.ts', 'settings-reader.ts', 'callers'],
  'config.ts': [
    'config-settings.ts',
    'secret-strength.ts',
    'setting-files.ts',
    'setting-texts.ts',
    'settings-reader.ts',
    'config-dialects.ts',
    'config-targets.ts',
    'callers',
    'dialects',
    'tls-files.ts',
  ],
  'tls-files.ts': [],
  'renewal.ts': ['config.ts', 'errors.ts', 'log.ts', 'settings-watch.ts'],
  'log.ts': ['domain.ts', 'errors.ts'],
  'metrics.ts': [],
  'strict-http.ts': [],
  'http.ts': ['setting-texts.ts', 'domain.ts', 'errors.ts', 'tls-files.ts', 'strict-http.ts'],
  callers: ['errors.ts', 'secret-strength.ts', 'secrets.ts', 'setting-texts.ts'],
  lanes: [],
  hashes: ['domain.ts', 'errors.ts', 'lanes', 'portable-hash.ts'],
  'legacy-uuid.ts': [],
  dialects: ['domain.ts', 'errors.ts', 'callers', 'legacy-uuid.ts'],
  db: ['domain.ts', 'errors.ts'],
  checker: ['domain.ts', 'errors.ts', 'hashes'],
  variants: ['domain.ts', 'errors.ts', 'hashes'],
  hooks: [
    'domain.ts',
    'errors.ts',
    'input.ts',
    'log.ts',
    'metrics.ts',
    'callers',
    'dialects',
    'hashes',
    'variants',
  ],
  load: ['domain.ts', 'errors.ts', 'hashes'],
  'portable-hash.ts': [],
  outbound: ['errors.ts'],
  'issuer-keys.ts': ['errors.ts', 'callers', 'outbound'],
  targets: ['errors.ts', 'legacy-uuid.ts', 'outbound', 'portable-hash.ts'],
  sources: ['errors.ts'],
  mapping: ['errors.ts'],
  'html.ts': [],
  check: ['domain.ts', 'errors.ts', 'html.ts', 'mapping', 'sheet.ts', 'targets'],
  provision: [
    'domain.ts',
    'duration.ts',
    'errors.ts',
    'log.ts',
    'metrics.ts',
    'mapping',
    'outbound',
    'portable-hash.ts',
    'targets',
  ],
  reconcile: ['domain.ts', 'errors.ts', 'log.ts', 'outbound', 'repeating.ts', 'targets'],
  'config-targets.ts': ['setting-texts.ts', 'settings-reader.ts', 'callers', 'targets'],
  harden: ['domain.ts', 'errors.ts', 'hashes'],
  analyze: ['domain.ts', 'errors.ts', 'hashes', 'html.ts', 'checker', 'sheet.ts'],
  doctor: ['domain.ts', 'secret-strength.ts'],
  audit: [],
  'repeating.ts': [],
  forget: ['errors.ts', 'log.ts', 'metrics.ts', 'repeating.ts'],
  seal: ['errors.ts'],
  'program-version.ts': [],
  openapi: ['domain.ts', 'errors.ts', 'dialects', 'admin'],
  'app.ts': ['errors.ts', 'log.ts', 'metrics.ts', 'dialects', 'hooks'],
}

/** Types alone: of the database's answers and of HTTP, where the functions that bring them are given. */
const allowedTypes: Record<string, readonly string[]> = {
  admin: ['errors.ts', 'input.ts', 'log.ts', 'metrics.ts'],
  load: ['db'],
  sources: ['db', 'load'],
  check: ['db'],
  provision: ['db'],
  reconcile: ['db'],
  harden: ['db'],
  analyze: ['db'],
  doctor: ['db'],
  db: ['audit', 'mapping'],
  forget: ['db'],
  hooks: ['http.ts'],
  callers: ['http.ts'],
  'app.ts': ['http.ts'],
  'config.ts': ['targets'],
}

const knowEverything = [
  'account-renewal.ts',
  'main.ts',
  'record.ts',
  'reconciling.ts',
  'pools.ts',
  'hash-context.ts',
  'cli.ts',
  'bin.ts',
  'healthcheck.ts',
  'commands',
]

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))

function imports(file: string): { target: string; typeOnly: boolean }[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  return [...text.matchAll(/^import (type )?[^'"]*from '(\.[^']+)'/gms)].map(([, type, path]) => ({
    target: relative(SRC, join(SRC, file, '..', path ?? '')),
    typeOnly: type !== undefined,
  }))
}

const room = (file: string) => file.split('/')[0] ?? file

test.each(files)('%s imports only what its room may know', (file) => {
  const from = room(file)
  if (knowEverything.includes(from)) return
  const known = [from, ...(allowed[from] ?? []), ...(allowedTypes[from] ?? [])]
  const values = [
    from,
    ...(allowed[from] ?? []),
    ...(allowedTypes[from] ?? []).filter((name) => name !== 'db' && name !== 'http.ts'),
  ]
  for (const { target, typeOnly } of imports(file))
    expect(typeOnly ? known : values, `${file} imports ${target}`).toContain(room(target))
})

test.each(['callers', 'hashes', 'dialects', 'targets'])(
  'every file of %s is reached from its registry',
  (folder) => {
    const reached = new Set<string>()
    const follow = (file: string) => {
      if (reached.has(file)) return
      reached.add(file)
      for (const { target } of imports(file)) if (room(target) === folder) follow(target)
    }
    follow(`${folder}/index.ts`)
    const others = files.filter((file) => room(file) === folder && !reached.has(file))
    const elsewhere = [
      'hashes/classify.ts',
      'hashes/listed.ts',
      'hashes/portable.ts',
      'hashes/recipes-file.ts',
      'hashes/candidates-file.ts',
      'callers/addresses.ts',
      'callers/check.ts',
      'callers/subjects.ts',
      // Tokens have settings of the dialects' own.
      'callers/bearer.ts',
      'callers/key-set.ts',
    ]
    expect(others.filter((file) => !elsewhere.includes(file))).toEqual([])
  },
)

/** Hash families, targets and exports are named after their products, each in a file of its own. */
const namesItsProducts = ['hashes', 'targets', 'sources']

test('only its dialect and the demo know a provider by name', () => {
  for (const { name } of dialects) {
    // The word `generic` is everybody's.
    if (name === 'generic') continue
    const knowing = files.filter(
      (file) =>
        !namesItsProducts.includes(room(file)) &&
        new RegExp(`\\b${name}`, 'i').test(readFileSync(join(SRC, file), 'utf8')),
    )
    const known = knowing.filter((file) => file !== 'commands/demo.ts')
    expect(known.sort()).toEqual([`dialects/${name}.ts`, 'dialects/index.ts'].sort())
  }
})

test.each([{ word: /\bentra['/]|ENTRA_|ciamlogin|passwordSubmit/, dialect: 'entra' }])(
  'only its dialect knows $dialect by name',
  ({ word, dialect }) => {
    const knowing = files.filter((file) => word.test(readFileSync(join(SRC, file), 'utf8')))
    const own = new RegExp(`^dialects/(index|${dialect}(-[a-z]+)?)\\.ts$`)
    expect(knowing.filter((file) => !own.test(file))).toEqual([])
    expect(knowing).toContain(`dialects/${dialect}.ts`)
  },
)

test('only the two programs touch the environment', () => {
  const touching = files.filter((file) => readFileSync(join(SRC, file), 'utf8').includes('process.env'))
  expect(touching.sort()).toEqual(['bin.ts', 'healthcheck.ts'])
})

test('no SQL is made of text from outside', () => {
  const raw = files.filter((file) => /sql\.raw|sql\.identifier/.test(readFileSync(join(SRC, file), 'utf8')))
  expect(raw).toEqual([])
})

test('no thread has flags of its own, which would free it of the permission model of node', () => {
  const own = files.filter((file) => /execArgv\s*:/.test(readFileSync(join(SRC, file), 'utf8')))
  expect(own).toEqual([])
})
