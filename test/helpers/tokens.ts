import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CompactEncrypt, CompactSign, type JWTPayload } from 'jose'

export const rsa = (bits = 2_048) => generateKeyPairSync('rsa', { modulusLength: bits })

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export function signingKey(kid: string, alg = 'RS256'): SigningKey {
  const pair = alg.startsWith('ES') ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : rsa()
  return { kid, alg, ...pair }
}

const jwkOf = ({ kid, publicKey }: SigningKey) => ({
  ...publicKey.export({ format: 'jwk' }),
  kid,
  use: 'sig',
})

/** A real HTTP server with a key set, which can be taken down, slowed and replaced. */
export async function tokenIssuer(...first: SigningKey[]) {
  let respond = (response: ServerResponse) => void response.end()
  let fetches = 0
  const server = createServer((_, response) => {
    fetches += 1
    respond(response)
  })
  const publish = (...keys: SigningKey[]) => publishText(JSON.stringify({ keys: keys.map(jwkOf) }))
  const publishText = (text: string, status = 200, headers: Record<string, string> = {}) => {
    respond = (response) =>
      void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
  }
  publish(...first)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/discovery/v2.0/keys`,
    publish,
    publishText,
    hang: () => {
      respond = () => {}
    },
    fetches: () => fetches,
    close: () => {
      server.closeAllConnections()
      return new Promise((closed) => server.close(closed))
    },
  }
}

/** A JWT as its issuer signs it. */
export function signed(claims: JWTPayload, { kid, alg, privateKey }: SigningKey): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg, kid, typ: 'JWT' })
    .sign(privateKey)
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A JWT that nobody has signed (RFC 7519, section 6). */
export function unsigned(claims: unknown, header: object = { alg: 'none' }): string {
  return `${part(header)}.${part(claims)}.`
}

export function encrypted(
  plaintext: string,
  key: KeyObject,
  { alg = 'RSA-OAEP-256', enc = 'A256CBC-HS512', ...more }: Record<string, string> = {},
): Promise<string> {
  return new CompactEncrypt(Buffer.from(plaintext)).setProtectedHeader({ alg, enc, ...more }).encrypt(key)
}

/** The text with some characters replaced, removed, doubled or put in. */
export function damaged(text: string, random: () => number): string {
  const pool = `${text}{}[]",:.-_=\\ \u0000é😀0aA`
  const characters = [...text]
  for (let times = 1 + Math.floor(random() * 4); times > 0; times--) {
    const at = Math.floor(random() * (characters.length + 1))
    const other = pool.charAt(Math.floor(random() * pool.length))
    characters.splice(at, Math.floor(random() * 3), ...(random() < 0.7 ? [other] : []))
  }
  return characters.join('')
}
