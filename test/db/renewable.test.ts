import { expect, test } from 'vitest'
import type { Database, Statement } from '../../src/db/client.ts'
import { renewable } from '../../src/db/renewable.ts'
import { Failure } from '../../src/errors.ts'

const QUESTION: Statement = { name: 'q', text: 'select 1', values: [] }

/** A database that answers its name, when it is let. */
function database(name: string, held?: Promise<void>) {
  let ended = 0
  const made: Database = {
    query: async <Row>() => {
      await held
      if (ended > 0) throw new Error('ended')
      return [name] as Row[]
    },
    end: async () => void ended++,
  }
  return { made, ended: () => ended }
}

test('statements go to the new one, and the old one ends after its last', async () => {
  let let_ = () => {}
  const old = database('old', new Promise<void>((done) => (let_ = done)))
  const next = database('next')
  const both = renewable(old.made)
  const running = [both.query(QUESTION), both.query(QUESTION)]
  both.renew(next.made)
  expect(await both.query(QUESTION)).toEqual(['next'])
  expect(old.ended()).toBe(0)
  let_()
  expect(await Promise.all(running)).toEqual([['old'], ['old']])
  expect([old.ended(), next.ended()]).toEqual([1, 0])
  await both.end()
  expect([old.ended(), next.ended()]).toEqual([1, 1])
})

test('one without statements ends at once; the end ends all', async () => {
  const old = database('old')
  const busy = database('busy', new Promise(() => {}))
  const both = renewable(old.made)
  both.renew(busy.made)
  expect(old.ended()).toBe(1)
  void both.query(QUESTION)
  both.renew(database('next').made)
  expect(busy.ended()).toBe(0)
  await both.end()
  expect(busy.ended()).toBe(1)
})

test('a wrong password is waited out for half a second, and the new account answers', async () => {
  let tries = 0
  const refusing: Database = {
    query: async () => {
      tries += 1
      throw new Failure('unavailable', { detail: '28P01' })
    },
    end: async () => {},
  }
  const both = renewable(refusing)
  const started = performance.now()
  await expect(both.query(QUESTION)).rejects.toMatchObject({ code: 'unavailable', detail: '28P01' })
  expect(performance.now() - started).toBeGreaterThan(450)
  expect(tries).toBeGreaterThan(1)
  const asked = both.query(QUESTION)
  both.renew(database('next').made)
  expect(await asked).toEqual(['next'])
})

test('every other failure is told at once, as the statement may have been done', async () => {
  let tries = 0
  const failing: Database = {
    query: async () => {
      tries += 1
      throw new Failure('unavailable', { detail: '57P01' })
    },
    end: async () => {},
  }
  await expect(renewable(failing).query(QUESTION)).rejects.toMatchObject({ detail: '57P01' })
  expect(tries).toBe(1)
})
