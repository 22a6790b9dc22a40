/** As much of the interface of WebAssembly as is used; engines without a compiler lack it. */
declare const WebAssembly:
  | undefined
  | {
      Module: new (bytes: Uint8Array<ArrayBuffer>) => object
      Instance: new (module: object) => { readonly exports: object }
    }

/** What every module exports. Its functions take a number and return nothing. */
export interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
}

/** The exports of a new instance of a module. Throws where the module or WebAssembly itself does not work. */
export function instantiated<E extends Exports>(bytes: Uint8Array<ArrayBuffer>): E {
  if (typeof WebAssembly === 'undefined') throw new Error('there is no WebAssembly here')
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as E
}
