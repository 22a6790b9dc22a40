import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whether certificates can be made here. */
export const hasOpenssl = spawnSync('openssl', ['version']).status === 0

export interface Issued {
  readonly cert: string
  readonly key: string
}

export interface Authority {
  /** PEM of the authority itself. */
  readonly cert: string
  /**
   * @param subject as `/O=Example/CN=name`
   * @param days for which it is good; a negative number: it is over
   * @param names as `DNS:name,IP:127.0.0.1`, or `@section` and the section
   */
  issue(subject: string, names?: string, days?: number): Issued
}

/** An authority of its own. Its files go when the process ends. */
export function createAuthority(name: string): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'carryover-ca-'))
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const path = (file: string) => join(directory, file)
  const text = (file: string) => readFileSync(path(file), 'utf8')
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  )
  let issued = 0
  return {
    cert: text('ca.crt'),
    issue: (subject, names, days = 2) => {
      const file = `c${issued++}`
      openssl('req', ...newKey, '-utf8', '-keyout', `${file}.key`, '-out', `${file}.csr`, '-subj', subject)
      writeFileSync(path('names.cnf'), names === undefined ? '' : `subjectAltName=${names}\n`)
      const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', String(days)]
      openssl('x509', '-req', '-in', `${file}.csr`, ...signed, '-extfile', 'names.cnf', '-out', `${file}.crt`)
      return { cert: text(`${file}.crt`), key: text(`${file}.key`) }
    },
  }
}

/** What openssl itself prints for a certificate's subject. */
export function printedSubject(cert: string): string {
  const args = ['x509', '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb']
  return execFileSync('openssl', args, { input: cert, encoding: 'utf8' }).replace(/^subject=|\n$/g, '')
}
