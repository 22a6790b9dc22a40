/** Why a row is refused. The names stand in reports and other people's scripts. */
export const rules = {
  'cell-count': 'has another number of cells than the header',
  quotes: 'has a quote that is not closed, or text after a closing quote',
  json: 'is not JSON',
  record: 'is not a record of the format that the file is of',
  'not-an-object': 'is not a JSON object',
  'too-long-line': 'is longer than 1 MiB',
  'not-utf8': 'holds bytes that are not UTF-8',
  unstorable: 'holds a NUL character or half a surrogate pair, which PostgreSQL cannot store',
  'unknown-field': 'has a field that is neither a column nor mapped nor dropped',
  'repeated-field': 'has two fields for one column',
  type: 'is not text',
  required: 'is missing or blank',
  'too-long': 'is longer than its column takes',
  status: 'is not active, disabled or locked',
  profile: 'is not a JSON object of at most 64 KiB and 32 levels',
  'updated-at': 'is not a moment such as 2025-01-31T12:00:00Z, with its time zone',
  deleted: 'is not true or false, nor a moment',
  'repeated-id': 'has the id of an earlier line',
  'repeated-key': 'has the key of an earlier line',
  'ambiguous-key': 'has a key that several users of the copy have',
  'id-taken': 'has the id of a user of the copy whose key is another',
  'unknown-user': 'is of nobody in the copy, and has no hash to add somebody with',
  unreadable: 'cannot be taken apart as its format has it',
  'erased-earlier': 'has the id of a user who was erased',
  'deleted-earlier': 'has the id of a user who was deleted earlier',
} as const satisfies Record<string, string>

export type Rule = keyof typeof rules

export interface Refusal {
  readonly rule: Rule
  /** The column, or a field's name. */
  readonly field?: string
  /** For a repeated id or key: the line that had it first. */
  readonly first?: number
}
