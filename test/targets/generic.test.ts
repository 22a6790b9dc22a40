import { expect, test } from 'vitest'
import type { Call } from '../../src/outbound/call.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { generic } from '../../src/targets/generic.ts'
import type { Candidate, Context, Credential, Order } from '../../src/targets/target.ts'
import { TargetError } from '../../src/targets/target.ts'

const call: Call = () => Promise.reject(new Error('a file calls nobody'))

async function bring(orders: readonly Order[]) {
  const lines: string[] = []
  const context: Context = {
    call,
    wait: async () => {},
    append: async (some) => {
      lines.push(...some)
    },
  }
  const target = generic.open({ FILE: '/tmp/users.jsonl' })
  return { target, brought: await target.bring(orders, context), lines }
}

function order(action: Order['action'], credential: Credential, changes: Partial<Candidate> = {}): Order {
  const user = {
    id: 'L-1',
    login: 'ann',
    email: null,
    active: true,
    attributes: { name: 'A\nB\u2028' },
    tag: 't',
  }
  return { action, user: { ...user, credential, ...changes }, targetId: null, attempts: 0 }
}

const hashes: { hash: PortableHash; spelled: object }[] = [
  {
    hash: { kind: 'digest', algorithm: 'md5', digest: Buffer.from([0, 255]), salt: null, position: 'prefix' },
    spelled: { kind: 'digest', algorithm: 'md5', digest: 'AP8=', salt: null, position: 'prefix' },
  },
  {
    hash: {
      kind: 'pbkdf2',
      algorithm: 'sha1',
      iterations: 7,
      salt: Buffer.from('s'),
      derived: Buffer.from('d'),
    },
    spelled: { kind: 'pbkdf2', algorithm: 'sha1', iterations: 7, salt: 'cw==', derived: 'ZA==' },
  },
  {
    hash: { kind: 'bcrypt', revision: '2y', cost: 12, salt: 'salt', digest: 'digest' },
    spelled: { kind: 'bcrypt', revision: '2y', cost: 12, salt: 'salt', digest: 'digest' },
  },
]
test.for(hashes)('a hash of $hash.kind is spelled with its bytes in base64', async ({ hash, spelled }) => {
  const { lines } = await bring([order('create', { kind: 'hash', hash })])
  expect(generic.traits.reads(hash)).toBe(true)
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      action: 'create',
      id: 'L-1',
      login: 'ann',
      email: null,
      active: true,
      attributes: { name: 'A\nB\u2028' },
      tag: 't',
      credential: { kind: 'hash', hash: spelled },
    },
  ])
})

test('each order is a line, in order, and done when it is on the disk', async () => {
  const { brought, lines, target } = await bring([
    order('create', { kind: 'hook' }),
    order('update', { kind: 'keep' }, { id: 'L-2' }),
    order('deactivate', { kind: 'keep' }, { id: 'L-3' }),
    order('delete', { kind: 'reset' }, { id: 'L-4' }),
  ])
  expect(brought).toEqual({
    kind: 'each',
    results: ['created', 'updated', 'removed', 'removed'].map((kind) => ({ kind, targetId: null })),
  })
  expect(lines.every((line) => !line.includes('\n'))).toBe(true)
  expect(
    lines.map((line) => JSON.parse(line)).map(({ id, action, credential }) => [id, action, credential]),
  ).toEqual([
    ['L-1', 'create', { kind: 'hook' }],
    ['L-2', 'update', { kind: 'keep' }],
    ['L-3', 'deactivate', { kind: 'keep' }],
    ['L-4', 'delete', { kind: 'reset' }],
  ])
  expect(target).toMatchObject({ file: '/tmp/users.jsonl', hosts: [], processes: 1 })
})

test('what cannot be written is not done', async () => {
  const context: Context = { call, wait: async () => {}, append: () => Promise.reject(new Error('no space')) }
  const target = generic.open({ FILE: '/tmp/users.jsonl' })
  await expect(target.bring([order('create', { kind: 'hook' })], context)).rejects.toThrow('no space')
})

test('without FILE it makes no sense', () => {
  expect(() => generic.open({ FILE: undefined })).toThrow(TargetError)
})
