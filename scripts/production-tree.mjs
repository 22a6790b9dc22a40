// Puts together what the image holds under /app: the built program, the migrations and the packages that it runs with, and
// nothing else. `npm prune` would leave types there, and `--omit=optional` would take the native code of Argon2 away.
// Usage: node scripts/production-tree.mjs DIRECTORY
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runtimePackages } from './runtime-packages.mjs'

/** Types, maps and prose of packages. Nine tenths of all files, and none is read at run time. */
const NEVER_LOADED = /\.(map|[cm]?ts|md|markdown|flow|txt)$/

const [target] = process.argv.slice(2)
if (target === undefined || (existsSync(target) && readdirSync(target).length > 0)) {
  process.stderr.write(
    'usage: node scripts/production-tree.mjs DIRECTORY (which is empty, or will be made)\n',
  )
  process.exit(2)
}
mkdirSync(target, { recursive: true })
for (const name of ['dist', 'migrations', 'package.json', 'LICENSE']) {
  cpSync(name, join(target, name), { recursive: true })
}
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
for (const { path, optional } of runtimePackages(lock, { terminal: false })) {
  // Optional ones are native code for other machines: npm has installed those of this one.
  if (!existsSync(path)) {
    if (optional) continue
    throw new Error(`${path} is not installed: run npm ci`)
  }
  cpSync(path, join(target, path), {
    recursive: true,
    dereference: true,
    filter: (file) => !NEVER_LOADED.test(file) || /licen[cs]e/i.test(file),
  })
  // Packages within packages are listed by themselves.
  rmSync(join(target, path, 'node_modules'), { recursive: true, force: true })
}
