import { readFileSync } from 'node:fs'

/** The last stage of the Dockerfile, with continued lines put together. */
function instructions(): string[] {
  const text = readFileSync('Dockerfile', 'utf8')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replace(/\\\n/g, '')
  return (text.split(/^FROM /m).at(-1) ?? '').split('\n').filter((line) => line !== '')
}

/** What follows the instruction's name, once. */
export function instruction(name: string): string {
  const found = instructions().filter((line) => line.startsWith(`${name} `))
  const [line] = found
  if (line === undefined || found.length > 1) throw new Error(`the image has not exactly one ${name}`)
  return line.slice(name.length + 1).trim()
}

/** Of ENTRYPOINT and of HEALTHCHECK: program and arguments. */
export function argumentsOf(name: 'ENTRYPOINT' | 'HEALTHCHECK'): string[] {
  const text = instruction(name)
  return JSON.parse(text.slice(text.indexOf('[')))
}

/** The flags as Node 20 knows them: it has the permission model under its first name, and no --disable-sigusr1. */
export function forNode(flags: readonly string[], version = process.versions.node): string[] {
  if (Number.parseInt(version, 10) >= 24) return [...flags]
  return flags
    .filter((flag) => flag !== '--disable-sigusr1')
    .map((flag) => (flag === '--permission' ? '--experimental-permission' : flag))
}
