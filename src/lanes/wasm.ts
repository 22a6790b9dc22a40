/**
 * As much of a WebAssembly assembler as the lanes need: functions of one 32-bit integer without a result, over one
 * memory that is exported as `memory`. The numbers are those of the WebAssembly core specification 1.0, chapter 5.
 */

/** Instructions in the binary format, in nested lists: to join them copies nothing. */
export type Code = number | readonly Code[]

export interface WasmFunction {
  /** Under which it is exported; without a name it is not. */
  readonly name?: string
  /** How many variables of 32 bits it has besides its parameter, which is variable 0. */
  readonly variables: number
  /** How many variables of 64 bits it has, behind those of 32. */
  readonly wideVariables?: number
  readonly code: Code
}

/** The bytes of a module. `pages` of 64 KiB are its memory, which cannot grow. */
export function moduleBytes(pages: number, functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const bodies = functions.map(({ variables, wideVariables = 0, code }) =>
    counted([vector([[unsigned(variables), I32], ...wide(wideVariables)]), code, END]),
  )
  const exported = functions.flatMap(({ name }, index) =>
    name === undefined ? [] : [[text(name), A_FUNCTION, unsigned(index)]],
  )
  return Uint8Array.from(
    flat([
      MAGIC_AND_VERSION,
      section(1, vector([[0x60, vector([I32]), vector([])]])),
      section(3, vector(functions.map(() => 0))),
      section(5, vector([[1, unsigned(pages), unsigned(pages)]])),
      section(7, vector([[text('memory'), A_MEMORY, 0], ...exported])),
      section(10, vector(bodies)),
    ]),
  )
}

export const constant = (value: number): Code => [0x41, signed(value)]
export const get = (variable: number): Code => [0x20, unsigned(variable)]
export const set = (variable: number, value: Code): Code => [value, 0x21, unsigned(variable)]

/** The word at `offset` bytes behind `address`. */
export const load = (offset: number, address: Code): Code => [address, 0x28, 2, unsigned(offset)]
export const store = (offset: number, address: Code, value: Code): Code => [
  address,
  value,
  0x36,
  2,
  unsigned(offset),
]

export const less = (one: Code, other: Code): Code => [one, other, 0x49]
export const add = (one: Code, other: Code): Code => [one, other, 0x6a]
export const subtract = (one: Code, other: Code): Code => [one, other, 0x6b]
export const and = (one: Code, other: Code): Code => [one, other, 0x71]
export const or = (one: Code, other: Code): Code => [one, other, 0x72]
export const xor = (one: Code, other: Code): Code => [one, other, 0x73]
export const shiftLeft = (value: Code, bits: number): Code => [value, constant(bits), 0x74]
/** Fills up with zeros. */
export const shiftRight = (value: Code, bits: number): Code => [value, constant(bits), 0x76]
export const rotateLeft = (value: Code, bits: number): Code => [value, constant(bits), 0x77]

/** The operations that computations over words of either size are written in. */
export interface Arithmetic {
  readonly bytes: 4 | 8
  /** Only the bits that a word has are taken. */
  readonly constant: (value: bigint) => Code
  readonly load: (offset: number, address: Code) => Code
  readonly store: (offset: number, address: Code, value: Code) => Code
  readonly add: (one: Code, other: Code) => Code
  readonly and: (one: Code, other: Code) => Code
  readonly xor: (one: Code, other: Code) => Code
  /** Fills up with zeros. */
  readonly shiftRight: (value: Code, bits: number) => Code
  readonly rotateRight: (value: Code, bits: number) => Code
}

export const ARITHMETIC_32: Arithmetic = {
  bytes: 4,
  constant: (value) => constant(Number(BigInt.asIntN(32, value))),
  load,
  store,
  add,
  and,
  xor,
  shiftRight,
  rotateRight: (value, bits) => [value, constant(bits), 0x78],
}

export const ARITHMETIC_64: Arithmetic = {
  bytes: 8,
  constant: (value) => [0x42, signedOf64(BigInt.asIntN(64, value))],
  load: (offset, address) => [address, 0x29, 3, unsigned(offset)],
  store: (offset, address, value) => [address, value, 0x37, 3, unsigned(offset)],
  add: (one, other) => [one, other, 0x7c],
  and: (one, other) => [one, other, 0x83],
  xor: (one, other) => [one, other, 0x85],
  shiftRight: (value, bits) => [value, [0x42, signed(bits)], 0x88],
  rotateRight: (value, bits) => [value, [0x42, signed(bits)], 0x8a],
}

export const call = (index: number, argument: Code): Code => [argument, 0x10, unsigned(index)]
/** Does the body at least once, and again while the condition is not 0. */
export const repeatWhile = (body: Code, condition: Code): Code => [0x03, 0x40, body, condition, 0x0d, 0, END]

const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
const A_FUNCTION = 0
const A_MEMORY = 2
const I32 = 0x7f
const I64 = 0x7e
const END = 0x0b

function wide(count: number): Code[] {
  return count === 0 ? [] : [[unsigned(count), I64]]
}

function section(id: number, content: Code): Code {
  return [id, counted(content)]
}

function vector(items: readonly Code[]): Code {
  return [unsigned(items.length), items]
}

function counted(code: Code): Code {
  const bytes = flat(code)
  return [unsigned(bytes.length), bytes]
}

function text(name: string): Code {
  return counted([...Buffer.from(name)])
}

function flat(code: Code, bytes: number[] = []): number[] {
  if (typeof code === 'number') bytes.push(code)
  else for (const part of code) flat(part, bytes)
  return bytes
}

/** LEB128: seven bits a byte, lowest first; the highest bit says that more follow. */
function unsigned(value: number): Code {
  return value < 0x80 ? value : [(value & 0x7f) | 0x80, unsigned(value >>> 7)]
}

/** The same with bit 6 of the last byte as the sign. */
function signed(value: number): Code {
  return value >= -0x40 && value < 0x40 ? value & 0x7f : [(value & 0x7f) | 0x80, signed(value >> 7)]
}

function signedOf64(value: bigint): Code {
  const last = value >= -0x40n && value < 0x40n
  return last ? Number(value & 0x7fn) : [Number(value & 0x7fn) | 0x80, signedOf64(value >> 7n)]
}
