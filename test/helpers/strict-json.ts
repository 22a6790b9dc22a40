const RESERVED = ['__proto__', 'constructor', 'prototype']

/**
 * What a text is as JSON, or undefined where it is none, an object in it has a name twice, or a name is reserved. Written to
 * be checked against: it looks at what JSON.parse has made and counts what stands in the text.
 */
export function strictJson(text: string): { readonly value: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const names = namesIn(value)
    if (names.some((name) => RESERVED.includes(name))) return undefined
    const written = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined)
    return names.length === written.length ? { value } : undefined
  } catch {
    return undefined
  }
}

function namesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const inner = Object.values(value).flatMap(namesIn)
  return Array.isArray(value) ? inner : [...Object.keys(value), ...inner]
}
