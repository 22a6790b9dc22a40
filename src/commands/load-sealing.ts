import { readFile } from 'node:fs/promises'
import type { Seal } from '../load/refusals.ts'
import { UsageError } from './command.ts'

/** `age1...`: a public key, which may stand in a command line. The library checks its sum. */
const RECIPIENT = /^age1[a-z0-9]{20,4000}$/

/**
 * What encrypts to the keys of `--refused-key` and to those of a file, one a line, with comments after #. Undefined: there are
 * none. Throws UsageError.
 */
export async function sealOf(keys: readonly string[], file: string | null): Promise<Seal | undefined> {
  const recipients = [...keys, ...(file === null ? [] : await recipientsIn(file))]
  if (recipients.length === 0) return undefined
  if (recipients.some((one) => !RECIPIENT.test(one)))
    throw new UsageError('--refused-key and --refused-to take public keys of age: age1...')
  const { Encrypter } = await library()
  const encrypter = new Encrypter()
  for (const one of recipients) {
    try {
      encrypter.addRecipient(one)
    } catch {
      throw new UsageError('a public key of --refused-key or --refused-to is not one of age')
    }
  }
  return (plain) => encrypter.encrypt(plain)
}

async function recipientsIn(file: string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError('--refused-to is not a file that can be read')
  })
  const lines = text.split('\n').map((line) => (line.split('#', 1)[0] ?? '').trim())
  const recipients = lines.filter((line) => line !== '')
  if (recipients.length === 0) throw new UsageError('--refused-to is a file without a key')
  return recipients
}

/** Not everybody has it: it is for this alone. */
async function library(): Promise<typeof import('age-encryption')> {
  try {
    return await import('age-encryption')
  } catch {
    throw new UsageError('encrypting refused rows needs the package age-encryption, which is not installed')
  }
}
