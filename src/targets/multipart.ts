import { randomUUID } from 'node:crypto'

/** A part of a form (RFC 7578). With a file name it is a file of JSON. */
export interface Part {
  readonly name: string
  readonly text: string
  readonly fileName?: string
}

/** Names are ours alone: nothing in them is escaped. */
export function multipart(parts: readonly Part[]): { readonly contentType: string; readonly body: string } {
  // Of 122 random bits: no text that was there before holds it.
  const boundary = `carryover-${randomUUID()}`
  const written = parts.map(({ name, text, fileName }) => {
    const file = fileName === undefined ? '' : `; filename="${fileName}"\r\ncontent-type: application/json`
    return `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${file}\r\n\r\n${text}\r\n`
  })
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: `${written.join('')}--${boundary}--\r\n`,
  }
}
