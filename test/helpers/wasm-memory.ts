/** As much of it as is used here. */
declare const WebAssembly: { readonly Instance: object }

interface Memory {
  readonly buffer: ArrayBuffer
}

/** Runs `work` and returns the memory of every WebAssembly instance that it made. */
export function memoriesMadeBy(work: () => void): readonly Memory[] {
  const memories: Memory[] = []
  const original = WebAssembly.Instance
  try {
    Object.assign(WebAssembly, {
      Instance: function watched(module: object) {
        const instance = Reflect.construct(original as never, [module]) as { exports: { memory: Memory } }
        memories.push(instance.exports.memory)
        return instance
      },
    })
    work()
  } finally {
    Object.assign(WebAssembly, { Instance: original })
  }
  return memories
}
