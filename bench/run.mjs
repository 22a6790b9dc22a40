// Every benchmark, one after another. One JSON object a line on standard output.
import { readdir } from 'node:fs/promises'

const directory = new URL('.', import.meta.url)
for (const name of (await readdir(directory)).sort()) {
  if (name.endsWith('.mjs') && !['run.mjs', 'page.mjs'].includes(name))
    await import(new URL(name, directory).href)
}
