import { isUtf8 } from 'node:buffer'
import { RecordError, type SourceRecord, translated } from './translated.ts'

/** A record longer than this is none. */
const LONGEST_RECORD = 1024 * 1024

/** Attributes by what they are to us, in lower case. What comes first wins where an entry has several. */
const COLUMNS: Readonly<Record<string, readonly string[]>> = {
  id: ['entryuuid', 'objectguid', 'nsuniqueid', 'ibm-entryuuid', 'uidnumber', 'employeenumber', 'dn'],
  login: ['uid', 'samaccountname', 'userprincipalname', 'cn'],
  email: ['mail', 'rfc822mailbox'],
  password_hash: ['userpassword'],
}

/** Attributes by the claims that they are. */
const CLAIMS: Readonly<Record<string, string>> = {
  givenname: 'given_name',
  gn: 'given_name',
  sn: 'family_name',
  surname: 'family_name',
  displayname: 'name',
  telephonenumber: 'phone_number',
  mobile: 'phone_number',
  preferredlanguage: 'locale',
  street: 'street_address',
  l: 'locality',
  st: 'region',
  postalcode: 'postal_code',
  c: 'country',
}

/** Classes of entries that are people; an entry of other classes alone is passed over. */
const PEOPLE: ReadonlySet<string> = new Set([
  'person',
  'inetorgperson',
  'organizationalperson',
  'posixaccount',
  'user',
  'account',
])

/** The bit of `userAccountControl` that says disabled. */
const ACCOUNT_DISABLED = 2

/** LDAP Data Interchange Format (RFC 2849): entries, and records of changes that add or delete one. */
export const ldif = translated({
  name: 'ldif',
  note: 'LDIF of any directory: entries of people, and change records that add or delete. `entryUUID` is the id, `uid` the login, `mail` the address, `userPassword` the hash; binary values of more than 64 bytes are left out',
  extensions: ['.ldif', '.ldf'],
  detect: (head) => /^(version:|dn:)/m.test(head.slice(0, 4_096)) && /^dn:/m.test(head),
  records: ldifRecords,
  row: (record) => {
    const { changetype, entry } = entryIn(record)
    const classes = entry.get('objectclass')?.map((name) => name.toLowerCase())
    if (classes !== undefined && !classes.some((name) => PEOPLE.has(name))) return undefined
    const row = rowOf(entry, record.line)
    if (changetype === 'delete') return { id: row.id, login: row.login, password_hash: null, deleted: true }
    return row
  },
})

type Entry = ReadonlyMap<string, readonly string[]>

/** Entries stand between empty lines; a line that begins with a blank goes on with the one before it; `#` begins a comment. */
async function* ldifRecords(text: AsyncIterable<string>): AsyncGenerator<SourceRecord> {
  let open: string[] = []
  let start = 1
  let line = 0
  let length = 0
  let comment = false
  let rest = ''
  const finished = (): SourceRecord[] => {
    const lines = open.filter((one) => !/^version:\s*\d+\s*$/.test(one))
    open = []
    length = 0
    return lines.length > 0 ? [{ line: start, text: lines.join('\n') }] : []
  }
  const take = (one: string): SourceRecord[] => {
    line++
    const folded = one.startsWith(' ')
    if (one === '') {
      comment = false
      return finished()
    }
    if (folded && comment) return []
    comment = one.startsWith('#')
    if (comment) return []
    length += one.length
    if (length > LONGEST_RECORD) throw new RecordError(start, 'an entry is longer than 1 MiB')
    const last = open.length - 1
    if (folded) {
      if (last < 0) throw new RecordError(line, 'the line goes on with a line that is not there')
      open[last] += one.slice(1)
    } else {
      if (open.length === 0) start = line
      open.push(one)
    }
    return []
  }
  for await (const piece of text) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() ?? ''
    for (const one of lines) yield* take(one.replace(/\r$/, ''))
    if (rest.length > LONGEST_RECORD) throw new RecordError(line + 1, 'a line is longer than 1 MiB')
  }
  if (rest !== '') yield* take(rest.replace(/\r$/, ''))
  yield* finished()
}

function entryIn({ line, text }: SourceRecord): { changetype: string; entry: Entry } {
  const entry = new Map<string, string[]>()
  let changetype = 'add'
  for (const one of text.split('\n')) {
    const { name, value } = attributeIn(one, line)
    if (entry.size === 0 && name !== 'dn') throw new RecordError(line, 'an entry does not begin with its dn')
    if (value === undefined) continue
    if (name === 'changetype') changetype = value.toLowerCase()
    else entry.set(name, [...(entry.get(name) ?? []), value])
  }
  if (changetype !== 'add' && changetype !== 'delete')
    throw new RecordError(line, 'a change record neither adds nor deletes: export the entries instead')
  return { changetype, entry }
}

/** `name: text`, `name:: base64`, `name:< url`. Options such as `;lang-de` are left away. */
function attributeIn(one: string, line: number): { name: string; value: string | undefined } {
  const [, name = '', kind = '', value = ''] =
    /^([A-Za-z0-9][\w.-]*)(?:;[\w.;-]*)?:([:<]?) *(.*)$/s.exec(one) ?? []
  if (name === '') throw new RecordError(line, 'a line of an entry is not an attribute')
  if (kind === '<') throw new RecordError(line, 'a value stands in another file, which is not opened')
  if (kind === '') return { name: name.toLowerCase(), value }
  const bytes = Buffer.from(value, 'base64')
  if (isUtf8(bytes)) return { name: name.toLowerCase(), value: bytes.toString() }
  // Keys are binary in some directories, and as good as any others; photographs and certificates are no profile.
  return { name: name.toLowerCase(), value: bytes.length <= 64 ? bytes.toString('hex') : undefined }
}

function rowOf(entry: Entry, line: number): Readonly<Record<string, unknown>> {
  const used = new Set(['dn', 'objectclass', 'useraccountcontrol'])
  const columns: Record<string, string> = {}
  for (const [column, names] of Object.entries(COLUMNS)) {
    const name = names.find((one) => entry.has(one))
    if (name === undefined) continue
    const values = entry.get(name) ?? []
    if (column === 'password_hash' && values.length > 1)
      throw new RecordError(line, 'an entry has several passwords: keep the one that counts')
    columns[column] = values[0] ?? ''
    used.add(name)
  }
  const profile: Record<string, unknown> = {}
  for (const [name, values] of entry) {
    if (used.has(name)) continue
    const claim = Object.hasOwn(CLAIMS, name) ? (CLAIMS[name] ?? name) : name
    if (Object.hasOwn(profile, claim)) continue
    profile[claim] = values.length === 1 ? values[0] : values
  }
  const control = Number(entry.get('useraccountcontrol')?.[0] ?? 0)
  return {
    ...columns,
    login: columns.login ?? columns.email,
    password_hash: columns.password_hash ?? null,
    status: (control & ACCOUNT_DISABLED) !== 0 ? 'disabled' : 'active',
    profile,
  }
}
