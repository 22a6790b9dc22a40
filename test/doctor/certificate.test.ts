import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkCertificate } from '../../src/doctor/certificate.ts'

const DAY_MS = 86_400_000

let directory: string
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' })
const newKey = (name: string) => [
  '-newkey',
  'ec',
  '-pkeyopt',
  'ec_paramgen_curve:P-256',
  '-nodes',
  '-keyout',
  `${name}.key`,
]
const text = (name: string) => readFile(join(directory, name), 'utf8')

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carryover-certificate-'))
  // Two that issue under one name, of which one has issued the certificate in question.
  for (const name of ['issuer', 'namesake'])
    openssl('req', '-x509', ...newKey(name), '-subj', '/CN=issuer', '-days', '200', '-out', `${name}.pem`)
  openssl('req', '-new', ...newKey('own'), '-subj', '/CN=hooks', '-out', 'own.csr')
  const issuer = ['-CA', 'issuer.pem', '-CAkey', 'issuer.key', '-CAcreateserial']
  openssl('x509', '-req', '-in', 'own.csr', ...issuer, '-days', '365', '-out', 'own.pem')
})
afterAll(() => rm(directory, { recursive: true }))

async function look(certs: readonly string[], key: string, days = 0) {
  const cert = (await Promise.all(certs.map((name) => text(`${name}.pem`)))).join('')
  const found = checkCertificate(
    { cert, key: await text(`${key}.key`) },
    new Date(Date.now() + days * DAY_MS + 60_000),
  )
  return found.map(({ level, says }) => `${level}: ${says}`)
}

test.each([
  {
    title: 'a sound one',
    certs: ['own'],
    says: ['fine: The TLS certificate fits its key and is valid for 364 days.'],
  },
  // The chain lasts as long as what ends first in it.
  {
    title: 'with its issuer',
    certs: ['own', 'issuer'],
    says: ['fine: The TLS certificate fits its key and is valid for 199 days.'],
  },
  {
    title: 'with another issuer of that name',
    certs: ['own', 'namesake'],
    says: [
      'fine: The TLS certificate fits its key and is valid for 199 days.',
      'problem: A certificate of TLS_CERT_FILE is not issued by the one after it.',
    ],
  },
  {
    title: 'the issuer first',
    certs: ['issuer', 'own'],
    says: ['problem: The key of TLS_KEY_FILE does not belong to the first certificate of TLS_CERT_FILE.'],
  },
  {
    title: '29 days before its end',
    certs: ['own'],
    days: 336,
    says: ['warning: The TLS certificate, or one of its chain, expires in fewer than 30 days (28).'],
  },
  {
    title: '31 days before its end',
    certs: ['own'],
    days: 334,
    says: ['fine: The TLS certificate fits its key and is valid for 30 days.'],
  },
  {
    title: 'after the end of its issuer',
    certs: ['own', 'issuer'],
    days: 201,
    says: ['problem: The TLS certificate, or one of its chain, has expired.'],
  },
  {
    title: 'before its time',
    certs: ['own'],
    days: -1,
    says: ['problem: The TLS certificate is not valid yet.'],
  },
])('$title', async ({ certs, days, says }) => {
  expect(await look(certs, 'own', days)).toEqual(says)
})

test('what cannot be read is told by its setting', async () => {
  const [cert, key] = [await text('own.pem'), await text('own.key')]
  const broken = cert.replace(/\n[^-]{20}/, '\n')
  const told = [
    { cert: 'nothing', key },
    { cert: broken, key },
    { cert, key: 'nothing' },
  ].map((tls) => checkCertificate(tls, new Date()).map(({ says }) => says))
  expect(told).toEqual([
    ['TLS_CERT_FILE holds no certificate that can be read.'],
    ['TLS_CERT_FILE holds no certificate that can be read.'],
    ['TLS_KEY_FILE holds no private key that can be read.'],
  ])
})
