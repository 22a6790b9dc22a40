import { readFileSync } from 'node:fs'

/** Of package.json, which stands beside both src/ and dist/. */
export function programVersion(): string {
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  )
  return version
}
