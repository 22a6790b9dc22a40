// The packages that the service runs with, by package-lock.json.

/**
 * Walks the lock from the root's dependencies. The root's optional ones are for the terminal: a PostgreSQL for the demo and the
 * tests, and what some options of `load` need. A container has none. Peers are left out: those of `drizzle-orm` are other databases and types, which
 * `npm ls --omit=dev` lists because development needs them. Sorted by path.
 */
export function runtimePackages(lock, { terminal = true } = {}) {
  const found = new Map()
  const visit = (name, from, optional) => {
    const path = placeOf(lock, name, from)
    if (path === undefined) {
      if (optional) return
      throw new Error(`package-lock.json has no place for ${name}`)
    }
    const known = found.get(path)
    if (known !== undefined && (!known.optional || optional)) return
    const entry = lock.packages[path]
    found.set(path, { ...entry, path, name, optional })
    for (const next of Object.keys(entry.dependencies ?? {})) visit(next, path, optional)
    for (const next of Object.keys(entry.optionalDependencies ?? {})) visit(next, path, true)
  }
  const root = lock.packages['']
  for (const name of Object.keys(root.dependencies)) visit(name, '', false)
  if (terminal) for (const name of Object.keys(root.optionalDependencies ?? {})) visit(name, '', true)
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** Where Node finds the package `name` from the package at `from`. */
function placeOf(lock, name, from) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`
    if (lock.packages[path] !== undefined) return path
    if (at === '') return undefined
  }
}

/** Whether npm installs it on a machine with this system, processor and C library. */
export function fits(entry, { os, cpu, libc }) {
  return [
    [entry.os, os],
    [entry.cpu, cpu],
    [entry.libc, libc],
  ].every(([wanted, here]) => wanted === undefined || wanted.includes(here))
}

/** Of the Linux that the image has. */
export const IMAGE_PLATFORM = { os: 'linux', cpu: 'x64', libc: 'glibc' }
