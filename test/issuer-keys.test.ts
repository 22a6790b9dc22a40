import { once } from 'node:events'
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, BlockList, type Server } from 'node:net'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Failure } from '../src/errors.ts'
import { createKeysCall, type KeysCallOptions } from '../src/issuer-keys.ts'
import { type Authority, createAuthority, hasOpenssl } from './helpers/certificates.ts'

const nowhere = new BlockList()
const here = new BlockList()
here.addSubnet('127.0.0.0', 8, 'ipv4')

type Respond = (request: IncomingMessage, response: ServerResponse) => void
const keys: Respond = (_, response) => void response.end('{"keys":[]}')

const open: { close(): unknown }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

async function listening(server: Server): Promise<{ port: number; connections: () => number }> {
  let connections = 0
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(server)
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}

function keysCall(options: Partial<KeysCallOptions> = {}) {
  const call = createKeysCall({ allowAddresses: nowhere, ...options })
  open.push(call)
  return call
}

const detailOf = (answer: Promise<unknown>) =>
  answer.then(
    () => 'answered',
    (error) => (error instanceof Failure && error.code === 'unavailable' ? error.detail : 'no Failure'),
  )

describe('by HTTP, keys come from this machine', () => {
  test('where its address is allowed', async () => {
    const { port } = await listening(createHttp(keys))
    const answer = await keysCall({ allowAddresses: here })(new URL(`http://127.0.0.1:${port}/keys`), 1_000)
    expect(answer).toEqual({ status: 200, text: '{"keys":[]}' })
  })

  test('and nobody is connected to where it is not', async () => {
    const { port, connections } = await listening(createHttp(keys))
    const url = new URL(`http://127.0.0.1:${port}/keys`)
    expect(await detailOf(keysCall()(url, 1_000))).toBe('forbidden-address')
    expect(connections()).toBe(0)
  })

  test.each(['http://localhost/', 'http://127.0.0.2/', 'http://10.0.0.1/', 'http://issuer.example/'])(
    'and not from %s',
    async (url) => {
      expect(await detailOf(keysCall({ allowAddresses: here })(new URL(url), 1_000))).toBe(
        'forbidden-address',
      )
    },
  )
})

describe.skipIf(!hasOpenssl)('by HTTPS, keys come', () => {
  let authority: Authority
  let identity: ReturnType<Authority['issue']>
  beforeAll(() => {
    authority = createAuthority('Carryover test')
    identity = authority.issue('/CN=issuer.example', 'DNS:issuer.example,IP:127.0.0.1')
  })

  const issuer = (respond: Respond = keys) => listening(createHttps(identity, respond))
  const options = (addresses: readonly string[]) => ({ ca: authority.cert, resolve: async () => addresses })

  test('from an issuer inside the company whose address is allowed', async () => {
    const { port } = await issuer()
    const ask = keysCall({ ...options(['127.0.0.1']), allowAddresses: here })
    expect(await ask(new URL(`https://issuer.example:${port}/keys`), 5_000)).toMatchObject({
      status: 200,
      text: '{"keys":[]}',
    })
  })

  test.each([
    { title: 'of this machine', addresses: ['127.0.0.1'] },
    { title: 'of the inner network', addresses: ['10.1.2.3'] },
    { title: 'of the metadata of clouds', addresses: ['169.254.169.254'] },
    { title: 'of this machine beside a public one', addresses: ['93.184.216.34', '127.0.0.1'] },
    { title: 'of this machine, mapped to IPv6', addresses: ['::ffff:127.0.0.1'] },
  ])('not from a name that leads to an address $title', async ({ addresses }) => {
    const { port, connections } = await issuer()
    const ask = keysCall(options(addresses))
    expect(await detailOf(ask(new URL(`https://issuer.example:${port}/keys`), 5_000))).toBe(
      'forbidden-address',
    )
    expect(connections()).toBe(0)
  })

  test('not from an address that is written out and is not public', async () => {
    const { port, connections } = await issuer()
    expect(await detailOf(keysCall(options([]))(new URL(`https://127.0.0.1:${port}/`), 5_000))).toBe(
      'forbidden-address',
    )
    expect(connections()).toBe(0)
  })

  test('from the address that was looked at, though the name answers otherwise a moment later', async () => {
    const { port, connections } = await issuer()
    let asked = 0
    const resolve = async () => (asked++ === 0 ? ['127.0.0.1'] : ['127.9.9.9'])
    const only = new BlockList()
    only.addAddress('127.0.0.1')
    const ask = keysCall({ ca: authority.cert, resolve, allowAddresses: only })
    await ask(new URL(`https://issuer.example:${port}/keys`), 5_000)
    expect([asked, connections()]).toEqual([1, 1])
  })

  test.each<{ title: string; respond: Respond; detail: string }>([
    {
      title: 'a redirect',
      respond: (_, response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
      detail: 'redirect',
    },
    {
      title: 'more than there can be',
      respond: (_, response) => void response.end('x'.repeat(300_000)),
      detail: 'too-large',
    },
    { title: 'nothing', respond: () => {}, detail: 'timeout' },
    {
      title: 'what has to be unpacked',
      respond: (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      detail: 'malformed',
    },
  ])('not by $title', async ({ respond, detail }) => {
    const { port } = await issuer(respond)
    const ask = keysCall({ ...options(['127.0.0.1']), allowAddresses: here })
    expect(await detailOf(ask(new URL(`https://issuer.example:${port}/keys`), 300))).toBe(detail)
  })

  test('not with a certificate of nobody’s', async () => {
    const { port } = await issuer()
    const ask = keysCall({ resolve: async () => ['127.0.0.1'], allowAddresses: here })
    expect(await detailOf(ask(new URL(`https://issuer.example:${port}/keys`), 5_000))).toBe('tls')
  })

  test('not after the end', async () => {
    const { port } = await issuer()
    const ask = keysCall({ ...options(['127.0.0.1']), allowAddresses: here })
    await ask(new URL(`https://issuer.example:${port}/keys`), 5_000)
    ask.close()
    expect(await detailOf(ask(new URL(`https://issuer.example:${port}/keys`), 5_000))).toBe('unreachable')
  })
})
