/**
 * What waits, in the order in which it is to be done. Each subject's first comes before any subject's second, so a
 * flood on one login leaves room for the others; among equals it is first come, first served.
 */
export interface Queue<Item extends { readonly subject: string }> {
  add(item: Item): void
  /** False: it was not there any more. */
  remove(item: Item): boolean
  /** In order. */
  items(): readonly Item[]
  /** Those before which a newcomer of this subject would not be done. */
  aheadOf(subject: string): readonly Item[]
}

export function createQueue<Item extends { readonly subject: string }>(): Queue<Item> {
  const items: Item[] = []
  const ranks: number[] = []
  const waiting = new Map<string, number>()

  /** The place behind all of the same rank or a better one. */
  const placeOf = (subject: string): number => {
    const rank = waiting.get(subject) ?? 0
    const place = ranks.findLastIndex((other) => other <= rank)
    return place + 1
  }

  return {
    add: (item) => {
      const place = placeOf(item.subject)
      const rank = waiting.get(item.subject) ?? 0
      items.splice(place, 0, item)
      ranks.splice(place, 0, rank)
      waiting.set(item.subject, rank + 1)
    },
    remove: (item) => {
      const place = items.indexOf(item)
      if (place === -1) return false
      items.splice(place, 1)
      ranks.splice(place, 1)
      const left = (waiting.get(item.subject) ?? 1) - 1
      if (left === 0) waiting.delete(item.subject)
      else waiting.set(item.subject, left)
      return true
    },
    items: () => items,
    aheadOf: (subject) => items.slice(0, placeOf(subject)),
  }
}
