import { randomInt } from 'node:crypto'
import { appendFileSync, chmodSync, chownSync, mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbedded } from '../../src/db/embedded.ts'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { measured } from '../helpers/assurance.ts'
import { createAuthority, hasOpenssl, type Issued } from '../helpers/certificates.ts'
import { startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

// A loopback address of its own, because the port is PostgreSQL's usual one. Only Linux has all of 127.0.0.0/8.
const host = `127.${randomInt(1, 250)}.${randomInt(1, 250)}.${randomInt(2, 250)}`
const possible = hasOpenssl && process.platform === 'linux'

const directory = mkdtempSync(join(tmpdir(), 'carryover-tls-'))
let server: EmbeddedPostgres
let refused = 0

/** The server again, with this certificate or without TLS. */
async function serveWith(issued?: Issued): Promise<void> {
  await server.stop()
  const { uid, gid } = statSync(join(directory, 'data'))
  const put = (name: string, text: string) => {
    const path = join(directory, 'data', name)
    writeFileSync(path, text)
    chmodSync(path, 0o600)
    chownSync(path, uid, gid)
  }
  if (issued) {
    put('server.crt', issued.cert)
    put('server.key', issued.key)
  }
  server = await startEmbedded({
    directory,
    settings: [`listen_addresses=${host}`, `ssl=${issued ? 'on' : 'off'}`],
  })
}

const authority = possible ? createAuthority('the database') : undefined
const stranger = possible ? createAuthority('somebody else') : undefined
const ca = join(directory, 'ca.crt')
const url = `postgresql://postgres@${host}/carryover?sslmode=verify-full&sslrootcert=${encodeURIComponent(ca)}`

beforeAll(async () => {
  if (!authority) return
  writeFileSync(ca, authority.cert)
  server = await startEmbedded({ directory })
  const local = await server.database('carryover')
  await migrateDatabase(local)
  await loadUsers(local, cheapUsers(2))
  appendFileSync(join(directory, 'data', 'pg_hba.conf'), `host all all ${host}/32 trust\n`)
})
afterAll(async () => {
  if (server) await server.stop()
  await rm(directory, { recursive: true, force: true })
})

// Certificates are made with openssl.
describe.runIf(possible)('a connection string with sslmode=verify-full', () => {
  test('leads to a server with the right certificate, and sign-ins are answered', async () => {
    await serveWith(authority?.issue('/CN=database', `IP:${host}`))
    const service = await startProcess(url)
    const answer = await caller(service.hooksUrl)(
      '/okta/password-import',
      passwordImport('u1@example.com', 'u1@example.com?'),
    )
    service.child.kill('SIGTERM')
    expect([answer.text.includes('"VERIFIED"'), await service.ended]).toEqual([true, 0])
  })

  test.for([
    {
      title: 'whose certificate another authority signed',
      issued: () => stranger?.issue('/CN=database', `IP:${host}`),
      code: /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY/,
    },
    {
      title: 'whose certificate is for another host',
      issued: () => authority?.issue('/CN=database', 'DNS:other.example,IP:127.0.0.1'),
      code: /ERR_TLS_CERT_ALTNAME_INVALID/,
    },
    { title: 'without TLS', issued: () => undefined, code: /no-tls/ },
  ])('does not start the service on a server $title', async ({ issued, code }) => {
    await serveWith(issued())
    const start = startProcess(url)
    await expect(start).rejects.toThrow(/the service ended \(1\)/)
    await expect(start).rejects.toThrow(code)
    refused += 1
  })

  test('was refused three times of three', () => {
    measured({
      part: 'faults',
      requirement: 'R-97',
      what: 'a start with sslmode=verify-full on a server with another authority, with another host, without TLS',
      wanted: '3 of 3 refused',
      got: `${refused} of 3 refused`,
    })
    expect(refused).toBe(3)
  })
})
