import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Config, readConfig } from '../src/config.ts'
import type { LogEvent } from '../src/log.ts'
import { followSettings } from '../src/renewal.ts'
import { fingerprintOf } from '../src/setting-files.ts'
import { type Watch, watchPaths } from '../src/settings-watch.ts'
import { SECRET, TOKEN } from './helpers/service.ts'

let directory: string
const path = (name: string) => join(directory, name)
const put = (name: string, text: string) => writeFileSync(path(name), text, { mode: 0o600 })

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'carryover-watch-'))
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

describe('a fingerprint', () => {
  /** As Kubernetes mounts a secret: `name` is a link into `..data`, which is a link to a directory of this moment. */
  function mount(moment: string, text: string) {
    mkdirSync(path(moment))
    writeFileSync(path(`${moment}/name`), text, { mode: 0o600 })
    symlinkSync(moment, path('..data_tmp'))
    renameSync(path('..data_tmp'), path('..data'))
  }

  test.each<{ title: string; change: () => void }>([
    { title: 'other content of the same length', change: () => put('a', 'another') },
    {
      title: 'another file in its place',
      change: () => {
        put('b', 'content')
        renameSync(path('b'), path('a'))
      },
    },
    { title: 'no file', change: () => rmSync(path('a')) },
    { title: 'another mode', change: () => chmodSync(path('a'), 0o644) },
  ])('changes with $title', ({ change }) => {
    put('a', 'content')
    utimesSync(path('a'), 1, 1)
    const before = fingerprintOf(path('a'))
    expect(fingerprintOf(path('a'))).toBe(before)
    change()
    expect(fingerprintOf(path('a'))).not.toBe(before)
  })

  test('changes when what links lead to is swapped', () => {
    mount('..one', 'content')
    symlinkSync('..data/name', path('name'))
    const [file, whole] = [fingerprintOf(path('name')), fingerprintOf(directory)]
    mount('..two', 'content')
    expect(fingerprintOf(path('name'))).not.toBe(file)
    expect(fingerprintOf(directory)).not.toBe(whole)
  })

  test('of a directory changes with each file in it', () => {
    mkdirSync(path('all'))
    put('all/one', '1')
    const before = fingerprintOf(path('all'))
    utimesSync(path('all/one'), 1, 1)
    expect(fingerprintOf(path('all'))).not.toBe(before)
  })
})

describe('a watch', () => {
  const watched = () => {
    let told = 0
    const watch = watchPaths([path('a'), path('b')], () => void told++)
    return { watch, told: () => told }
  }

  test('tells of the first look, and then of changes alone', () => {
    put('a', '1')
    const { watch, told } = watched()
    vi.advanceTimersByTime(1_200)
    expect(told()).toBe(1)
    vi.advanceTimersByTime(10_000)
    expect(told()).toBe(1)
    put('b', '2')
    vi.advanceTimersByTime(1_200)
    expect(told()).toBe(2)
    rmSync(path('a'))
    vi.advanceTimersByTime(1_200)
    expect(told()).toBe(3)
    watch.stop()
    put('a', '3')
    vi.advanceTimersByTime(10_000)
    expect(told()).toBe(3)
  })

  test('waits while somebody writes, unless it is told to look', () => {
    const { watch, told } = watched()
    vi.advanceTimersByTime(1_200)
    put('a', '1')
    vi.advanceTimersByTime(850) // the look of second 2 has seen it
    put('a', '1,2')
    vi.advanceTimersByTime(100)
    put('a', '1,2,3')
    expect(told()).toBe(1)
    watch.look()
    expect(told()).toBe(2)
    vi.advanceTimersByTime(5_000)
    expect(told()).toBe(2)
    watch.stop()
  })
})

describe('settings that are followed', () => {
  const NEXT = 'Bearer next-value-Qm7x2Wk9-of-the-tests-Zr4'
  let watch: Watch
  let events: LogEvent[]
  let applied: Config[]
  let config: Config
  afterEach(() => watch.stop())
  beforeEach(() => {
    events = []
    applied = []
    put('okta', SECRET)
    put('tokens', TOKEN)
    put('recipes', 'shop = md5($pass)\n')
    const read = () =>
      readConfig({
        DATABASE_URL: 'postgresql://h/d',
        OKTA_HOOK_SECRETS_FILE: path('okta'),
        ADMIN_TOKENS_FILE: path('tokens'),
        RECIPES_FILE: path('recipes'),
      })
    config = read()
    watch = followSettings(
      config,
      read,
      (next) => void applied.push(next),
      (event) => void events.push(event),
    )
    watch.look()
  })
  const proofs = () => applied.at(-1)?.dialects.get('okta')?.callers.proofs.HOOK_SECRETS

  test('nothing is done at first, nor when a file was touched alone', () => {
    utimesSync(path('okta'), 1, 1)
    watch.look()
    expect([applied, events]).toEqual([[], []])
  })

  test('what changed between the reading and the first look is taken', () => {
    put('okta', NEXT)
    vi.advanceTimersByTime(1_200)
    expect(proofs()).toEqual([NEXT])
    expect(events).toEqual([{ event: 'settings-renewed', settings: ['OKTA_HOOK_SECRETS'] }])
  })

  test.each<{ title: string; spoil: () => void; code: string }>([
    { title: 'missing', spoil: () => rmSync(path('okta')), code: 'unreadable' },
    { title: 'empty', spoil: () => put('okta', ''), code: 'empty' },
    { title: 'half written', spoil: () => put('okta', SECRET.slice(0, 20)), code: 'weak' },
    { title: 'the admin token', spoil: () => put('okta', `Bearer ${TOKEN}`), code: 'shared' },
    { title: 'open to others', spoil: () => chmodSync(path('okta'), 0o640), code: 'too-open' },
    {
      title: 'a directory',
      spoil: () => {
        rmSync(path('okta'))
        mkdirSync(path('okta'))
      },
      code: 'no-file',
    },
  ])(
    'a file that is $title changes nothing, is told once, and the next good one is taken',
    ({ spoil, code }) => {
      spoil()
      for (let second = 0; second < 5; second += 1) vi.advanceTimersByTime(1_000)
      const setting = code === 'shared' ? 'ADMIN_TOKENS' : 'OKTA_HOOK_SECRETS'
      expect([applied, events]).toEqual([[], [{ event: 'setting-unusable', setting, code }]])
      rmSync(path('okta'), { recursive: true, force: true })
      put('okta', NEXT)
      vi.advanceTimersByTime(1_200)
      expect(proofs()).toEqual([NEXT])
      expect(events.slice(1)).toEqual([{ event: 'settings-renewed', settings: ['OKTA_HOOK_SECRETS'] }])
    },
  )

  test('while one file is wrong, the others wait for it', () => {
    put('okta', '')
    put('tokens', `${TOKEN}-next`)
    watch.look()
    expect(applied).toEqual([])
    put('okta', SECRET)
    watch.look()
    expect(applied.at(-1)?.adminTokens).toEqual([`${TOKEN}-next`])
    expect(events.at(-1)).toEqual({ event: 'settings-renewed', settings: ['ADMIN_TOKENS'] })
  })

  test('what is read at the start alone is said to need a restart', () => {
    put('recipes', 'shop = sha1($pass)\n')
    watch.look()
    expect(events).toEqual([{ event: 'settings-need-restart', settings: ['RECIPES_FILE'] }])
  })
})
