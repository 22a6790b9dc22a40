// What the fields of somebody else's file may be. A suggestion is for people to review: nothing is loaded by it.

/** A field of the file with some of its values. */
export interface FieldSample {
  readonly name: string
  /** Of the first rows; empty ones are left out. */
  readonly values: readonly string[]
}

export interface Suggestion {
  readonly field: string
  /** A column of `load`, or `profile.NAME`. */
  readonly column: string
  readonly because: 'name' | 'content' | 'name and content'
  /** Whether somebody has to look: it is of neither an unmistakable name nor unmistakable content. */
  readonly sure: boolean
}

/** Names that systems give to a column, without blanks, dashes and case. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  id: [
    'id',
    'userid',
    'uid',
    'uuid',
    'guid',
    'accountid',
    'customerid',
    'customerno',
    'memberid',
    'externalid',
    'entryuuid',
  ],
  login: [
    'login',
    'username',
    'userlogin',
    'loginname',
    'accountname',
    'samaccountname',
    'usr',
    'nick',
    'handle',
    'userprincipalname',
  ],
  email: ['email', 'mail', 'emailaddress', 'useremail', 'primaryemail', 'mailaddress'],
  password_hash: [
    'passwordhash',
    'password',
    'passwd',
    'pwd',
    'pass',
    'hash',
    'encryptedpassword',
    'hashedpassword',
    'userpass',
    'passworddigest',
    'cryptedpassword',
    'userpassword',
  ],
  salt: ['salt', 'passwordsalt', 'pwsalt', 'hashsalt'],
  hash_scheme: [
    'hashscheme',
    'algorithm',
    'hashalgorithm',
    'passwordalgorithm',
    'encryptionscheme',
    'passwordformat',
    'hashtype',
  ],
  status: ['status', 'state', 'accountstatus', 'userstatus'],
  cohort: ['cohort', 'brand', 'tenant', 'department', 'segment', 'organization', 'organisation'],
  updated_at: [
    'updatedat',
    'modifiedat',
    'lastmodified',
    'lastupdated',
    'changedat',
    'modified',
    'updated',
    'passwordchangedat',
  ],
  deleted: ['deleted', 'deletedat', 'isdeleted', 'removedat'],
  'profile.given_name': ['givenname', 'firstname', 'fname', 'forename', 'vorname', 'prenom'],
  'profile.family_name': ['familyname', 'lastname', 'lname', 'surname', 'sn', 'nachname', 'nom'],
  'profile.middle_name': ['middlename'],
  'profile.name': ['name', 'fullname', 'displayname', 'cn'],
  'profile.nickname': ['nickname'],
  'profile.phone_number': [
    'phonenumber',
    'phone',
    'mobile',
    'mobilephone',
    'cell',
    'telephone',
    'tel',
    'telephonenumber',
    'msisdn',
  ],
  'profile.email_verified': ['emailverified', 'verified', 'emailconfirmed', 'isverified', 'confirmed'],
  'profile.phone_number_verified': ['phonenumberverified', 'phoneverified', 'phoneconfirmed'],
  'profile.birthdate': ['birthdate', 'birthday', 'dateofbirth', 'dob'],
  'profile.gender': ['gender', 'sex'],
  'profile.locale': ['locale', 'language', 'lang', 'preferredlanguage'],
  'profile.zoneinfo': ['zoneinfo', 'timezone', 'tz'],
  'profile.picture': ['picture', 'avatar', 'photourl', 'avatarurl'],
  'profile.street_address': ['streetaddress', 'street', 'address', 'addressline1'],
  'profile.locality': ['locality', 'city', 'town'],
  'profile.region': ['region', 'province', 'county'],
  'profile.postal_code': ['postalcode', 'zip', 'zipcode', 'postcode', 'plz'],
  'profile.country': ['country', 'countrycode'],
}

/** What the values of a column look like; `share`: of the values that have to. */
interface Look {
  readonly column: string
  readonly share: number
  /** No other content looks like this: it is believed without a name. */
  readonly unmistakable: boolean
  fits(value: string): boolean
}

/** Shares leave room for the rubbish that every old store has. */
const looksOf = (isHash: (value: string) => boolean): readonly Look[] => [
  {
    column: 'email',
    share: 0.8,
    unmistakable: true,
    fits: (value) => /^[^\s@]{1,64}@[^\s@]{1,190}\.[^\s@.]{2,63}$/.test(value),
  },
  { column: 'password_hash', share: 0.8, unmistakable: true, fits: isHash },
  {
    column: 'profile.phone_number',
    share: 0.8,
    unmistakable: false,
    fits: (value) => /^\+?[\d ()/.-]{7,20}$/.test(value) && /\d{3}/.test(value),
  },
  {
    column: 'status',
    share: 0.95,
    unmistakable: false,
    fits: (value) => /^(active|disabled|locked|inactive|enabled|blocked|suspended)$/i.test(value),
  },
  {
    column: 'updated_at',
    share: 0.95,
    unmistakable: false,
    fits: (value) => /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(value),
  },
  {
    column: 'profile.locale',
    share: 0.95,
    unmistakable: false,
    fits: (value) => /^[a-z]{2}[-_][A-Z]{2}$/.test(value),
  },
  {
    column: 'profile.zoneinfo',
    share: 0.95,
    unmistakable: false,
    fits: (value) => /^(Africa|America|Asia|Atlantic|Australia|Europe|Indian|Pacific)\/\w/.test(value),
  },
  {
    column: 'profile.picture',
    share: 0.95,
    unmistakable: false,
    fits: (value) => /^https?:\/\//.test(value),
  },
]

/**
 * Suggests a column for every field, each column once. A name counts most; content decides where no name is known, and speaks against
 * a name that it contradicts.
 *
 * @param isHash whether a value has the unmistakable shape of a stored hash
 */
export function suggest(
  samples: readonly FieldSample[],
  isHash: (value: string) => boolean,
): { readonly suggestions: readonly Suggestion[]; readonly unknown: readonly string[] } {
  const looks = looksOf(isHash)
  const offers = samples
    .flatMap((sample) => offersFor(sample, looks))
    .sort((a, b) => b.weight - a.weight || a.place - b.place)
  const taken = new Map<string, string>()
  const suggestions: Suggestion[] = []
  for (const { field, column, because, sure } of offers) {
    if (taken.has(column) || suggestions.some((one) => one.field === field)) continue
    taken.set(column, field)
    suggestions.push({ field, column, because, sure })
  }
  const order = samples.map(({ name }) => name)
  suggestions.sort((a, b) => order.indexOf(a.field) - order.indexOf(b.field))
  return { suggestions, unknown: order.filter((name) => !suggestions.some(({ field }) => field === name)) }
}

interface Offer extends Suggestion {
  readonly weight: number
  /** Earlier names of a table are more usual. */
  readonly place: number
}

function offersFor({ name, values }: FieldSample, looks: readonly Look[]): Offer[] {
  const bare = name
    .toLowerCase()
    .replace(/^.*\./, '')
    .replace(/[^a-z0-9]/g, '')
  const seen = looks.filter(({ fits, share }) => holds(values, fits, share))
  const named = Object.entries(NAMES).flatMap(([column, names]) => {
    const place = names.indexOf(bare)
    return place < 0 ? [] : [{ column, place }]
  })
  const offers = named.flatMap(({ column, place }): Offer[] => {
    const look = looks.find((one) => one.column === column)
    if (seen.some((one) => one.column === column))
      return [{ field: name, column, place, because: 'name and content', sure: true, weight: 4 }]
    // A field that is called so and holds something else is for people to decide.
    const contradicted = look?.unmistakable === true && values.length > 0
    return [
      { field: name, column, place, because: 'name', sure: !contradicted, weight: contradicted ? 1 : 3 },
    ]
  })
  for (const { column, unmistakable } of seen) {
    if (named.some((one) => one.column === column)) continue
    offers.push({
      field: name,
      column,
      place: 0,
      because: 'content',
      sure: false,
      weight: unmistakable ? 2.5 : 0.5,
    })
    // People sign in with their address where there is no other name.
    if (column === 'email')
      offers.push({ field: name, column: 'login', place: 0, because: 'content', sure: false, weight: 0.4 })
  }
  return offers
}

function holds(values: readonly string[], fits: (value: string) => boolean, share: number): boolean {
  return values.length > 0 && values.filter(fits).length >= share * values.length
}
