import { execFile } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { argumentsOf, forNode } from './dockerfile.ts'

let server: Server | undefined
afterEach(() => server?.close())

test.each([
  { title: 'the address that it listens on', bound: '127.0.0.1', listen: '127.0.0.1', status: 200, code: 0 },
  {
    title: 'an address that is not the usual one',
    bound: '127.0.0.2',
    listen: '127.0.0.2',
    status: 200,
    code: 0,
  },
  { title: 'every address', bound: '0.0.0.0', listen: '0.0.0.0', status: 200, code: 0 },
  {
    title: 'another address than the one it listens on',
    bound: '127.0.0.2',
    listen: '127.0.0.1',
    status: 200,
    code: 1,
  },
  { title: 'a listener that is not well', bound: '127.0.0.1', listen: '127.0.0.1', status: 503, code: 1 },
])('the health check asks $title: exit $code', async ({ bound, listen, status, code }) => {
  const port = await listener(bound, status)
  expect(await healthcheck(`${listen}:${port}`)).toBe(code)
})

test('nobody listens: exit 1', async () => {
  const port = await listener('127.0.0.1', 200)
  await new Promise((closed) => server?.close(closed))
  expect(await healthcheck(`127.0.0.1:${port}`)).toBe(1)
})

function listener(host: string, status: number): Promise<number> {
  const made = createServer((request, response) => {
    response.statusCode = request.url === '/healthz' ? status : 404
    response.end()
  })
  server = made
  return new Promise((done) => made.listen(0, host, () => done((made.address() as { port: number }).port)))
}

/** As the image runs it, with its flags. */
function healthcheck(listen: string): Promise<number> {
  const [, ...args] = argumentsOf('HEALTHCHECK').map((word) => word.replace('/app', process.cwd()))
  return new Promise((done) => {
    const environment = { PATH: process.env.PATH, ADMIN_LISTEN: listen }
    const child = execFile(process.execPath, forNode(args), { env: environment })
    child.once('exit', (code) => done(code ?? -1))
  })
}
