import type { Finding, Target, TargetKind, Traits } from '../../src/targets/target.ts'

/** Whatever is not said: a target that asks the hook, reads MD5 and takes a hundred users in a call. */
export function fakeKind(
  change: {
    traits?: Partial<Traits>
    impossible?: string
    findings?: readonly Finding[]
    hosts?: readonly string[]
  } = {},
): TargetKind {
  return {
    name: 'fake',
    title: 'Fake',
    ...(change.impossible === undefined ? {} : { impossible: change.impossible }),
    settings: {
      URL: { purpose: 'Where it is.', required: true },
      TOKEN: { purpose: 'A token.', secret: true, required: true },
      GROUP: { purpose: 'A group.', default: 'all' },
    },
    traits: fakeTraits(change.traits),
    open: () => fakeTarget(change),
  }
}

export function fakeTraits(change: Partial<Traits> = {}): Traits {
  return {
    hook: true,
    reads: (hash) => hash.kind === 'digest',
    replacesHash: false,
    updates: true,
    removes: ['deactivate'],
    standard: { login: 'login', email: 'mail', 'profile.given_name': 'firstName' },
    attributes: [],
    others: 'taken',
    sameness: [],
    batch: 100,
    callsPerBatch: 1,
    callsPerMinute: 60,
    needs: ({ hook, hash, attributes }) => [`hook ${hook}, hash ${hash}, ${attributes.join(' and ')}`],
    ...change,
  }
}

function fakeTarget({
  findings = [],
  hosts = [],
}: {
  findings?: readonly Finding[]
  hosts?: readonly string[]
}): Target {
  return {
    hosts,
    authorize: async () => ({ headers: { authorization: 'Bearer fake' } }),
    inFlight: 1,
    examine: async ({ call }) => {
      for (const host of hosts) await call({ method: 'GET', url: `https://${host}/` })
      return findings
    },
    bring: () => Promise.reject(new Error('a plan brings nobody')),
    limitOf: () => null,
  }
}
