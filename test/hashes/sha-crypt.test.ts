import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { readHash } from '../../src/hashes/index.ts'

interface Job {
  readonly password: Buffer
  readonly setting: string
}

/** crypt(3) of this machine by way of Perl, which gives it bytes as they are; null where it does not know the setting. */
function crypts(jobs: readonly Job[]): (string | null)[] {
  const program =
    'while (<STDIN>) { chomp; my ($p, $s) = split /,/; print crypt(pack("H*", $p), $s) // "", "\\n" }'
  const input = jobs.map(({ password, setting }) => `${password.toString('hex')},${setting}\n`).join('')
  const { status, stdout } = spawnSync('perl', ['-e', program], { input, encoding: 'latin1' })
  const lines = status === 0 ? stdout.split('\n') : []
  return jobs.map(({ setting }, index) => (lines[index]?.startsWith(`${setting}$`) ? lines[index] : null))
}

/** Every length of password up to 140 bytes, and of salt up to 16; crypt() ends at a NUL. */
function jobsOf(prefix: string): Job[] {
  return Array.from({ length: 141 }, (_, length) => {
    const bytes = Array.from({ length: 3 }, (_, part) =>
      createHash('sha512').update(`${prefix} ${length} ${part}`).digest(),
    )
    const password = Buffer.concat(bytes)
      .subarray(0, length)
      .map((byte) => byte || 1)
    const salt = (bytes[0]?.toString('hex') ?? '').slice(0, length % 17)
    return { password: Buffer.from(password), setting: `${prefix}rounds=${1000 + length}$${salt}` }
  })
}

test.for([
  { name: 'sha256crypt', prefix: '$5$' },
  { name: 'sha512crypt', prefix: '$6$' },
])('$name of any bytes is what crypt(3) of this machine makes', async ({ name, prefix }, { skip }) => {
  const jobs = jobsOf(prefix)
  const made = crypts(jobs)
  if (made[0] === null) skip('crypt(3) of this machine has no such scheme')
  for (const [index, { password }] of jobs.entries()) {
    const hash = readHash({ encoded: made[index] ?? null, scheme: null, salt: null, login: '', id: '' })
    expect(hash.scheme).toBe(name)
    expect(await hash.matches(password)).toBe(true)
    expect(await hash.matches(Buffer.concat([password, Buffer.from('x')]))).toBe(false)
  }
})
