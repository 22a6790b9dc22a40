import { describe, expect, test } from 'vitest'
import { MOST_LANES } from '../../src/lanes/eks-lanes.ts'
import { eksModule } from '../../src/lanes/eks-module.ts'
import { initialState } from '../../src/lanes/pi.ts'
import type { Code } from '../../src/lanes/wasm.ts'
import {
  ARITHMETIC_32,
  ARITHMETIC_64,
  add,
  and,
  call,
  constant,
  get,
  less,
  load,
  moduleBytes,
  repeatWhile,
  set,
  shiftLeft,
  shiftRight,
  store,
  subtract,
  xor,
} from '../../src/lanes/wasm.ts'

declare const WebAssembly: {
  validate(bytes: Uint8Array<ArrayBuffer>): boolean
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  Instance: new (
    module: object,
  ) => { exports: { memory: { buffer: ArrayBuffer }; run: (parameter: number) => void } }
}

/** What the expression comes to, with a parameter. */
function resultOf(expression: Code, parameter = 0): number {
  const bytes = moduleBytes(1, [{ name: 'run', variables: 0, code: store(0, constant(0), expression) }])
  const { run, memory } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports
  run(parameter)
  return new Int32Array(memory.buffer)[0] ?? Number.NaN
}

describe('the assembler', () => {
  test.for([0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8192, -8193, 2 ** 31 - 1, -(2 ** 31)])(
    'constant %d',
    (value) => {
      expect(resultOf(constant(value))).toBe(value)
    },
  )

  test.for([
    { title: 'add', code: add(get(0), constant(-1)), value: 41 },
    { title: 'subtract', code: subtract(get(0), constant(50)), value: -8 },
    { title: 'and', code: and(get(0), constant(0xff0f)), value: 10 },
    { title: 'xor', code: xor(get(0), constant(-1)), value: ~42 },
    { title: 'shift left', code: shiftLeft(get(0), 27), value: 42 << 27 },
    { title: 'shift right', code: shiftRight(constant(-1), 24), value: 255 },
    { title: 'less', code: less(constant(1), constant(2)), value: 1 },
    { title: 'not less', code: less(constant(-1), constant(2)), value: 0 },
    { title: 'load of zero', code: load(400, get(0)), value: 0 },
  ])('$title', ({ code, value }) => {
    expect(resultOf(code, 42)).toBe(value)
  })

  /** What the expression over words of 64 bits comes to; variable 1 is one of them. */
  function wideResultOf(expression: Code): bigint {
    const { store } = ARITHMETIC_64
    const code = [set(1, ARITHMETIC_64.constant(ODD)), store(0, constant(0), expression)]
    const bytes = moduleBytes(1, [{ name: 'run', variables: 0, wideVariables: 1, code }])
    const { run, memory } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports
    run(0)
    return new BigUint64Array(memory.buffer)[0] ?? -1n
  }

  const ODD = 0x8123_4567_89ab_cdefn
  const wideConstants = [0n, 1n, 63n, 64n, 127n, 8191n, 8192n, 2n ** 32n, 2n ** 63n - 1n]

  test.for(wideConstants.flatMap((value) => [value, BigInt.asUintN(64, ~value)]))(
    'wide constant %d',
    (value) => {
      expect(wideResultOf(ARITHMETIC_64.constant(value))).toBe(value)
    },
  )

  test.for([
    { title: 'add', code: ARITHMETIC_64.add(get(1), get(1)), value: 0x0246_8acf_1357_9bden },
    { title: 'and', code: ARITHMETIC_64.and(get(1), ARITHMETIC_64.constant(0xff00n)), value: 0xcd00n },
    { title: 'xor', code: ARITHMETIC_64.xor(get(1), ARITHMETIC_64.constant(ODD + 1n)), value: 0x1fn },
    { title: 'shift right', code: ARITHMETIC_64.shiftRight(get(1), 60), value: 8n },
    { title: 'rotate right', code: ARITHMETIC_64.rotateRight(get(1), 4), value: 0xf812_3456_789a_bcden },
    {
      title: 'rotate right by 63',
      code: ARITHMETIC_64.rotateRight(get(1), 63),
      value: 0x0246_8acf_1357_9bdfn,
    },
    { title: 'load of zero', code: ARITHMETIC_64.load(400, constant(8)), value: 0n },
  ])('wide $title', ({ code, value }) => {
    expect(wideResultOf(code)).toBe(value)
  })

  test.for([
    { title: 'constant', code: ARITHMETIC_32.constant(0xfedc_ba98n), value: 0xfedc_ba98 | 0 },
    { title: 'rotate right', code: ARITHMETIC_32.rotateRight(get(0), 4), value: 0xa000_0002 | 0 },
  ])('narrow $title', ({ code, value }) => {
    expect(resultOf(code, 42)).toBe(value)
  })

  test('loops, variables, calls and stores', () => {
    const half = set(1, shiftRight(get(0), 1))
    const countDown = repeatWhile(
      [
        set(0, subtract(get(0), constant(1))),
        call(0, get(0)),
        store(4, constant(0), add(load(4, constant(0)), constant(1))),
      ],
      get(0),
    )
    const bytes = moduleBytes(1, [
      { variables: 1, code: [half, store(8, constant(0), add(load(8, constant(0)), get(1)))] },
      { name: 'run', variables: 0, code: countDown },
    ])
    const { run, memory } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports
    run(300)
    const halves = Array.from({ length: 300 }, (_, index) => index >> 1).reduce((sum, one) => sum + one, 0)
    expect([...new Int32Array(memory.buffer, 0, 3)]).toEqual([0, 300, halves])
  })

  test('is byte for byte what the specification says', () => {
    const bytes = moduleBytes(2, [{ name: 'f', variables: 3, code: set(1, get(0)) }])
    expect(Buffer.from(bytes).toString('hex')).toBe(
      [
        '0061736d01000000',
        '01050160017f00',
        '03020100',
        '050401010202',
        '070e02066d656d6f72790200016600' + '00',
        '0a0a010801037f200021010b',
      ].join(''),
    )
  })
})

describe.each(Array.from({ length: MOST_LANES }, (_, index) => index + 1))(
  'the module of %d lanes',
  (count) => {
    test('is valid, and the same every time', () => {
      const bytes = eksModule(count)
      expect(WebAssembly.validate(bytes)).toBe(true)
      expect(eksModule(count)).toEqual(bytes)
    })
  },
)

test('the state that Blowfish starts from is the fraction of pi', () => {
  const { p, s } = initialState()
  const hex = (word: number | undefined) => ((word ?? 0) >>> 0).toString(16).padStart(8, '0')
  expect([p.length, s.length]).toEqual([18, 1024])
  // The first and the last words of the tables in Schneier's blowfish.c.
  expect([p[0], p[17], s[0], s[255], s[256], s[1023]].map(hex)).toEqual([
    '243f6a88',
    '8979fb1b',
    'd1310ba6',
    '6e85076a',
    '4b7a70e9',
    '3ac372e6',
  ])
})
