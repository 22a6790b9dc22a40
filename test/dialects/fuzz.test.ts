import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { OwnSettings } from '../../src/dialects/dialect.ts'
import { dialects } from '../../src/dialects/index.ts'
import { defaultsOf } from '../helpers/flows.ts'
import { encrypted, rsa } from '../helpers/tokens.ts'
import { bodies, fuzz } from './fuzz.ts'

/** Bodies for each hook, half of them with look-ups allowed. */
const CASES = 600

const FIXTURES = new URL('fixtures/', import.meta.url)
const fixture = (name: string) => JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8'))

interface Prepared {
  readonly own: OwnSettings
  readonly samples: readonly unknown[]
}

/** For dialects that do not understand an invented question, because it has to be encrypted for them. */
const prepared: Readonly<Record<string, () => Promise<Prepared>>> = {
  entra: async () => {
    const { publicKey, privateKey } = rsa()
    const sample = fixture('entra.onPasswordSubmit.json')
    const claims = { ...fixture('entra.encryptedPasswordContext.claims.json'), nonce: 'n-1' }
    const bodyWith = async (inner: string) => {
      const jwt = `e30.${Buffer.from(inner).toString('base64url')}.`
      const encryptedPasswordContext = await encrypted(jwt, publicKey)
      return { ...sample, data: { ...sample.data, encryptedPasswordContext } }
    }
    const right = Array.from({ length: 50 }, () => JSON.stringify(claims))
    const changed = [...bodies([claims], 20_260_103, 50)]
    return {
      own: {
        TENANT_ID: sample.data.tenantId,
        KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      },
      samples: await Promise.all([...right, ...changed].map(bodyWith)),
    }
  },
}

/** What has been recorded of a provider's questions. */
const recorded = (name: string) =>
  readdirSync(FIXTURES).filter((file) => file.startsWith(`${name}.`) && file.endsWith('.json'))

describe.each(dialects)('$name', async (dialect) => {
  const { own, samples } = (await prepared[dialect.name]?.()) ?? { own: {}, samples: undefined }
  const settings = { ...defaultsOf(dialect), ...own }
  const hooks = dialect
    .hooks(settings)
    .flatMap((hook) => ('schema' in hook && hook.method === 'POST' ? [hook] : []))

  test.each(hooks)('$name: no body leads to a yes or to a bug', async ({ flow, path, schema, example }) => {
    const known = samples ?? [example, ...recorded(dialect.name).map(fixture)]
    const read = await Promise.all(known.map((body) => schema.safeParseAsync(body)))
    // Otherwise all that is tried here is the refusal.
    expect(read[0]?.success).toBe(true)
    const understood = samples ?? known.filter((_, at) => read[at]?.success)

    for (const lookup of [true, false]) {
      const texts = bodies(understood, lookup ? 20_260_101 : 20_260_102, CASES / 2)
      const { yes, broken, statuses } = await fuzz(dialect, path.replace('*', 'ann'), texts, {
        lookup,
        own: settings,
      })
      expect(broken).toEqual([])
      // What means yes there may mean something else where no password is asked for.
      if (flow === 'attempt') expect(yes).toEqual([])
      if (flow === 'lookup' && !lookup) continue
      // Both sorts are among them: bodies that are understood and bodies that are not.
      const refused = statuses.get(400) ?? 0
      expect(refused).toBeGreaterThan(CASES / 10)
      expect(refused).toBeLessThan(CASES / 2 - CASES / 20)
    }
  })
})
