import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'

/** Loading takes a tenth of a second; a cold disk may take several. */
const PATIENCE_MS = 20_000

/** A known answer from passlib's tests: Argon2id of "password", 256 KiB, 2 passes, 1 lane. */
const PROBE = `
const { hash } = require(process.argv[1])
const settings = { raw: true, type: 2, version: 19, memoryCost: 256, timeCost: 2, parallelism: 1, hashLength: 32 }
hash(Buffer.from('password'), { ...settings, salt: Buffer.from('somesalt') }).then((made) => {
  process.exit(made.toString('base64') === 'nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4=' ? 0 : 1)
})
`

/**
 * Whether the native module of Argon2 loads here and computes rightly. Found out in a child process, because a
 * binary made for another system ends the process that loads it instead of throwing.
 */
export function argon2Loads(): Promise<boolean> {
  return new Promise((resolve) => {
    try {
      const path = createRequire(import.meta.url).resolve('argon2')
      execFile(process.execPath, ['-e', PROBE, path], { timeout: PATIENCE_MS, env: {} }, (error) =>
        resolve(error === null),
      )
    } catch {
      resolve(false)
    }
  })
}
