/** What a file of settings may hold. */
export type Yaml = string | number | boolean | null | Yaml[] | { [key: string]: Yaml }

interface Line {
  readonly indent: number
  readonly text: string
}

/**
 * Reads the YAML that our own files are written in, and throws at everything else: block maps and lists, one-line lists of
 * plain words, quoted and plain scalars, comments, several documents. No anchors, tags, block scalars or tabs.
 */
export function readYaml(text: string): Yaml[] {
  return text
    .split(/^---$/m)
    .map(linesOf)
    .filter((lines) => lines.length > 0)
    .map((lines) => {
      const rest = [...lines]
      const value = block(rest, rest[0]?.indent ?? 0)
      if (rest.length > 0) throw new Error(`not understood: ${rest[0]?.text}`)
      return value
    })
}

function linesOf(document: string): Line[] {
  return document.split('\n').flatMap((line) => {
    const text = line.replace(/(^|\s)#.*$/, '').trimEnd()
    if (text.trim() === '') return []
    if (/\t|^\s*[%&*!|>]|: [&*!|>]/.test(text)) throw new Error(`not understood: ${text}`)
    return [{ indent: text.length - text.trimStart().length, text: text.trimStart() }]
  })
}

/** Takes every line of this depth, and what lies deeper, from the front of `lines`. */
function block(lines: Line[], indent: number): Yaml {
  return lines[0]?.text.startsWith('- ') ? list(lines, indent) : map(lines, indent)
}

function list(lines: Line[], indent: number): Yaml[] {
  const items: Yaml[] = []
  for (let [line] = lines; line?.indent === indent && line.text.startsWith('- '); [line] = lines) {
    const text = line.text.slice(2).trimStart()
    const inner = indent + line.text.length - text.length
    if (KEY.test(text)) {
      lines[0] = { indent: inner, text }
      items.push(map(lines, inner))
    } else {
      lines.shift()
      items.push(scalar(text))
    }
  }
  return items
}

const KEY = /^("[^"]+"|[\w./-]+):( (.+))?$/

function map(lines: Line[], indent: number): { [key: string]: Yaml } {
  const found: { [key: string]: Yaml } = {}
  for (let [line] = lines; line?.indent === indent; [line] = lines) {
    const [, name, , text] = KEY.exec(line.text) ?? []
    const key = name?.replace(/^"|"$/g, '')
    if (key === undefined || key in found) throw new Error(`not understood: ${line.text}`)
    lines.shift()
    const [next] = lines
    // A list may stand as deep as its key.
    const nested = next && (next.indent > indent || (next.indent === indent && next.text.startsWith('- ')))
    found[key] = text !== undefined ? scalar(text) : nested ? block(lines, next.indent) : null
  }
  return found
}

function scalar(text: string): Yaml {
  if (text === '{}') return {}
  const listed = /^\[(.*)\]$/.exec(text)?.[1]
  if (listed !== undefined) return listed.split(',').map((item) => scalar(item.trim()))
  const quoted = /^"([^"\\]*)"$/.exec(text)?.[1]
  if (quoted !== undefined) return quoted
  if (/^["'{[]/.test(text)) throw new Error(`not understood: ${text}`)
  if (/^(true|false)$/.test(text)) return text === 'true'
  // As YAML 1.1 has it, and Kubernetes with it.
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  return /^-?\d+$/.test(text) ? Number(text) : text
}
