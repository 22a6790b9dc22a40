import { type Bounds, ceilings } from '../../src/hashes/ceilings.ts'
import { CRYPT64 } from '../../src/hashes/crypt64.ts'
import { formats } from '../../src/hashes/index.ts'

/** A number that the strings of a family carry. */
export interface Parameter {
  /** The greatest that the table of ceilings names for it. */
  readonly most: number
  /** A string of the family with this number. */
  readonly written: (value: number) => string
  /** What all the work may take, where that stops the number earlier. */
  readonly millis: number
  /** What the time grows with; the number itself where it is absent. */
  readonly work?: (value: number) => number
}

const { argon2, bcrypt, check, pbkdf2, recipe, scrypt } = ceilings

/** Every number of every family whose cost varies, by the family's name. */
export const parameters: Readonly<Record<string, readonly Parameter[]>> = {
  ...inExamples(/m=(19456),t=2,p=1/, (example) => [
    put(example, '19456', argon2.kibibytes),
    put(example, 't=2', argon2.passes, (passes) => `t=${passes}`),
    put(example, 'p=1', argon2.lanes, (lanes) => `p=${lanes}`),
    put(example, 'm=19456,t=2', argon2.passes, (passes) => `m=${argon2.kibibytes.most},t=${passes}`),
  ]),
  ...inExamples(/(?:\$2[aby]\$|:bcrypt:|2b,r=)(\d\d)/, (example, cost) => [
    {
      ...put(
        example,
        `${cost}$`,
        bcrypt.cost,
        (value) => `${example.includes('r=') ? value : twoDigits(value)}$`,
      ),
      work: (value) => 2 ** value,
    },
  ]),
  magento: [
    number(argon2.passes, (passes) => magento(passes, 64)),
    number(argon2.passes, (passes) => magento(passes, 1024)),
    number(argon2.kibibytes, (kibibytes) => magento(1, kibibytes / 1024)),
  ],
  ...iterations({
    'ldap-pbkdf2': '60000',
    'elasticsearch-pbkdf2': '10000',
    'dovecot-pbkdf2': '5000',
    'dovecot-scram': '4096',
    'macos-ml': '35000',
    'pbkdf2-django': '600000',
    'pbkdf2-passlib': '25000',
    'pbkdf2-phc': '600000',
    keycloak: '210000',
    'postgres-scram': '4096',
    'scram-passlib': '100000',
    'mongodb-scram': '15000',
    'xmpp-scram': '4096',
    'crackstation-pbkdf2': '64000',
    'hashcat-pbkdf2': '600000',
    'grub-pbkdf2': '10000',
    web2py: '1000',
    'seafile-pbkdf2': '10000',
    'mediawiki-pbkdf2': '30000',
    'mediawiki-layered': '30000',
    msdcc2: '10240',
    'azuread-sync-pph1': '1000',
  }),
  'cta-pbkdf2': [put(exampleOf('cta-pbkdf2'), '2710', pbkdf2.iterations, hexadecimal)],
  'dlitz-pbkdf2': [put(exampleOf('dlitz-pbkdf2'), '2710', pbkdf2.iterations, hexadecimal)],
  'ldap389-pbkdf2': [number(pbkdf2.iterations, ldap389)],
  'aspnet-identity': [number(pbkdf2.iterations, aspnet)],
  lotus8: [number(pbkdf2.iterations, lotus8)],
  werkzeug: [
    ...scrypts((log2, r, p) => swapped('werkzeug', '32768:8:1', `${2 ** log2}:${r}:${p}`)),
    number(pbkdf2.iterations, (count) => `pbkdf2:sha256:${count}$carryover$${'5a'.repeat(32)}`),
  ],
  'scrypt-phc': scrypts((log2, r, p) => swapped('scrypt-phc', 'ln=16,r=8,p=1', `ln=${log2},r=${r},p=${p}`)),
  'scrypt-kratos': scrypts((log2, r, p) =>
    swapped('scrypt-kratos', 'ln=16384,r=8,p=1', `ln=${2 ** log2},r=${r},p=${p}`),
  ),
  'scrypt-django': scrypts((log2, r, p) =>
    swapped('scrypt-django', '16384$carryovercarryoverca$8$1', `${2 ** log2}$carryovercarryoverca$${r}$${p}`),
  ),
  'scrypt-django-3rdparty': scrypts((log2, r, p) =>
    swapped('scrypt-django-3rdparty', '$14$8$1$', `$${log2}$${r}$${p}$`),
  ),
  'scrypt-hashcat': scrypts((log2, r, p) => swapped('scrypt-hashcat', '16384:8:1', `${2 ** log2}:${r}:${p}`)),
  'firebase-scrypt-kratos': scrypts((log2, r, p) =>
    swapped('firebase-scrypt-kratos', 'ln=14,r=8,p=1', `ln=${log2},r=${r},p=${p}`),
  ),
  'spring-scrypt': scrypts((log2, r, p) =>
    swapped('spring-scrypt', '$100801$', `$${[log2, r, p].map(twoHexDigits).join('')}$`),
  ),
  'scrypt-7': scrypts(
    (log2, r, p) =>
      `$7$${CRYPT64[log2]}${crypt64Digits(r, 5)}${crypt64Digits(p, 5)}Carryover$${'.'.repeat(43)}`,
  ),
  ...Object.fromEntries(
    [
      { name: 'sha256crypt', magic: '$5$', characters: 43 },
      { name: 'sha512crypt', magic: '$6$', characters: 86 },
      { name: 'kratos-sha256-crypt', magic: '$sha256-crypt$', characters: 43 },
      { name: 'kratos-sha512-crypt', magic: '$sha512-crypt$', characters: 86 },
    ].map(({ name, magic, characters }) => [
      name,
      [
        number(
          ceilings.shaCrypt.rounds,
          (rounds) => `${magic}rounds=${rounds}$Carryover$${'.'.repeat(characters)}`,
        ),
      ],
    ]),
  ),
  phpass: [number(ceilings.phpass.log2, (log2) => `$P$${CRYPT64[log2]}Carryove${'.'.repeat(22)}`)],
  'phpass-md5-latin1': [
    number(ceilings.phpass.log2, (log2) => `$H$${CRYPT64[log2]}Carryove${'.'.repeat(22)}`),
  ],
  drupal7: [
    number(ceilings.drupal.log2, (log2) => `$S$${CRYPT64[log2]}Carryove${'.'.repeat(43)}`),
    number(ceilings.phpass.log2, (log2) => `U$P$${CRYPT64[log2]}Carryove${'.'.repeat(22)}`),
  ],
  sha1crypt: [put(exampleOf('sha1crypt'), '20000', ceilings.sha1Crypt.rounds)],
  sunmd5: [put(exampleOf('sunmd5'), '904', ceilings.sunMd5.rounds)],
  shiro1: [put(exampleOf('shiro1'), '500000', ceilings.shiro.iterations)],
  fshp: [put(exampleOf('fshp'), '16384', ceilings.fshp.rounds)],
  'sap-h': [put(exampleOf('sap-h'), '15000', ceilings.sap.rounds)],
  aix: [put(exampleOf('aix'), '06', ceilings.aix.log2, twoDigits)],
  'mysql-caching-sha2': [
    number({ least: 1, most: ceilings.cachingSha2.rounds.most / 1000 }, (thousands) =>
      swapped('mysql-caching-sha2', '005', hexadecimal(thousands).padStart(3, '0')),
    ),
  ],
  // The digit is one less than log2 of N; with the r of 32 that the T stands for, 2^14 hold 64 MiB.
  yescrypt: [put(exampleOf('yescrypt'), 'j9T', { least: 1, most: 13 }, (digit) => `j${CRYPT64[digit]}T`)],
  'gost-yescrypt': [
    put(exampleOf('gost-yescrypt'), 'j9T', { least: 1, most: 13 }, (digit) => `j${CRYPT64[digit]}T`),
  ],
  'bsdi-crypt': [
    put(exampleOf('bsdi-crypt'), '_J9..', ceilings.bsdi.turns, (turns) => `_${crypt64Digits(turns, 4)}`),
  ],
  qnx: [put(exampleOf('qnx'), '@s@', ceilings.qnx.rounds, (rounds) => `@s,${rounds}@`)],
  jenkins: [
    put(exampleOf('jenkins'), '$10$', bcrypt.cost, (cost) => `$${twoDigits(cost)}$`),
    ofRecipe(
      recipe.pbkdf2Rounds.most,
      (rounds) => `$PBKDF2$HMACSHA512:${rounds}:63617272$${'5a'.repeat(64)}`,
    ),
  ],
  // The first of the rounds is not repeated.
  'otm-sha256': [
    ofRecipe(recipe.rounds.most + 1, (rounds) => swapped('otm-sha256', ':1000:', `:${rounds}:`)),
  ],
  'netiq-sspr': [
    ofRecipe(recipe.rounds.most + 1, (rounds) => swapped('netiq-sspr', '$1000$', `$${rounds}$`)),
    ofRecipe(
      recipe.pbkdf2Rounds.most,
      (rounds) => `$pbkdf2-hmac-sha256$${rounds}.63617272.${'5a'.repeat(32)}`,
    ),
  ],
}

function number({ most }: Bounds, written: (value: number) => string): Parameter {
  return { most, written, millis: check.millis.most }
}

/** In place of a part of the example. */
function put(
  example: string,
  part: string,
  bounds: Bounds,
  printed: (value: number) => string = String,
): Parameter {
  return number(bounds, (value) => example.replace(part, () => printed(value)))
}

function swapped(name: string, part: string, other: string): string {
  return exampleOf(name).replace(part, () => other)
}

function ofRecipe(most: number, written: (value: number) => string): Parameter {
  return { most, written, millis: recipe.millis.most }
}

function iterations(printed: Readonly<Record<string, string>>): Record<string, readonly Parameter[]> {
  return Object.fromEntries(
    Object.entries(printed).map(([name, count]) => [name, [put(exampleOf(name), count, pbkdf2.iterations)]]),
  )
}

/** log2 of N with r=8 is bounded by the memory. */
function scrypts(written: (log2: number, r: number, p: number) => string): readonly Parameter[] {
  const most = Math.log2(scrypt.bytes.most / 128 / 8)
  return [
    number({ least: 1, most }, (log2) => written(log2, 8, 1)),
    number(scrypt.r, (r) => written(14, r, 1)),
    number(scrypt.p, (p) => written(14, 8, p)),
  ]
}

/** Every family whose example has such a part. */
function inExamples(
  shape: RegExp,
  of: (example: string, part: string) => readonly Parameter[],
): Record<string, readonly Parameter[]> {
  return Object.fromEntries(
    formats.flatMap(({ name, example }) => {
      const part = shape.exec(example)?.[1]
      return part === undefined ? [] : [[name, of(example, part)]]
    }),
  )
}

function exampleOf(name: string): string {
  const example = formats.find((format) => format.name === name)?.example
  if (example === undefined) throw new Error(`there is no format ${name}`)
  return example
}

function magento(passes: number, mebibytes: number): string {
  return `${'5a'.repeat(32)}:carryovercarryover:3_32_${passes}_${Math.ceil(mebibytes * 1024 * 1024)}`
}

/** Four bytes of iterations, 64 of salt, 256 of key. */
function ldap389(count: number): string {
  const bytes = Buffer.alloc(4 + 64 + 256, 'Z')
  bytes.writeUInt32BE(count)
  return `{PBKDF2_SHA256}${bytes.toString('base64')}`
}

/** Version 3 with SHA-256: 16 bytes of salt, 32 of key. */
function aspnet(count: number): string {
  const bytes = Buffer.alloc(13 + 16 + 32, 'Z')
  bytes.writeUInt8(1)
  for (const [at, value] of [1, count, 16].entries()) bytes.writeUInt32BE(value, 1 + 4 * at)
  return bytes.toString('base64')
}

const LOTUS64 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/'
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Ten digits of iterations between 16 bytes of salt and 8 of key. */
function lotus8(count: number): string {
  const bytes = Buffer.from(`carryovercarryov${String(count).padStart(10, '0')}02ZZZZZZZZ`)
  return `(H${bytes.toString('base64').replace(/./g, (sign) => LOTUS64.charAt(BASE64.indexOf(sign)))})`
}

function crypt64Digits(value: number, count: number): string {
  return Array.from({ length: count }, (_, place) => CRYPT64[(value >>> (6 * place)) & 63]).join('')
}

function hexadecimal(value: number): string {
  return value.toString(16)
}

function twoHexDigits(value: number): string {
  return hexadecimal(value).padStart(2, '0')
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
