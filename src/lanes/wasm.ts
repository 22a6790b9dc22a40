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
  readonly code: Code
}

/** The bytes of a module. `pages` of 64 KiB are its memory, which cannot grow. */
export function moduleBytes(pages: number, functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const bodies = functions.map(({ variables, code }) =>
    counted([vector([[unsigned(variables), I32]]), code, END]),
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

export const call = (index: number, argument: Code): Code => [argument, 0x10, unsigned(index)]
/** Does the body at least once, and again while the condition is not 0. */
export const repeatWhile = (body: Code, condition: Code): Code => [0x03, 0x40, body, condition, 0x0d, 0, END]

const MAGIC_AND_VERSION = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
const A_FUNCTION = 0
const A_MEMORY = 2
const I32 = 0x7f
const END = 0x0b

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
