import { HashError } from './format.ts'

/** What one number of a stored hash may be at least and at most. */
export interface Bounds {
  readonly least: number
  readonly most: number
}

const MIB = 1024 * 1024

/**
 * Milliseconds on one core. The strictest caller waits three seconds, and the network, the database and the queue leave
 * two and a half of them for the check.
 */
const LONGEST: Bounds = { least: 0, most: 2_500 }
/** A digest that is repeated without WebAssembly costs 1.3 to 1.4 thousandths of a millisecond on two busy cores. */
const ITERATED: Bounds = { least: 1, most: 1_700_000 }

/**
 * The least and the most of everything that a stored hash, its row or a recipe can ask for, by kind of work. A load and a
 * check read the same table, before any library sees the string. What is named `millis` is worked out from the other
 * numbers; bytes are of what is encoded, not of its text. Measured on Node.js 20 with two busy cores.
 */
export const ceilings = {
  /** SCRAM with several digests is the longest string that any system writes, of about 400 characters. */
  stored: { characters: { least: 1, most: 1024 } },
  /** Every step doubles the work, and cost 15 takes about 2 s. */
  bcrypt: { cost: { least: 4, most: 15 } },
  /**
   * A pass over 1 GiB takes 0.4 s, so it may have six. Whether so much may be held is for the checker to say. Below 8 bytes
   * of salt the algorithm refuses; below 16 bytes of digest chance would come into reach.
   */
  argon2: {
    kibibytes: { least: 8, most: 1024 * 1024 },
    passes: { least: 1, most: 10 },
    lanes: { least: 1, most: 16 },
    millis: LONGEST,
    saltBytes: { least: 8, most: 64 },
    digestBytes: { least: 16, most: 64 },
    dataBytes: { least: 0, most: 64 },
  },
  /** 128 * N * r bytes are held at once. N=2^18, r=8, p=1 is 256 MiB and takes 0.7 s. */
  scrypt: {
    bytes: { least: 128, most: 256 * MIB },
    n: { least: 2, most: 2 ** 21 },
    r: { least: 1, most: 32 },
    p: { least: 1, most: 16 },
    millis: LONGEST,
  },
  /**
   * Ten million iterations of SHA-1 or SHA-256 take 2 s, and of SHA-512 more than the time there is. No system makes
   * a longer key than the 512 bytes of MediaWiki's own test of layers.
   */
  pbkdf2: {
    iterations: { least: 1, most: 10_000_000 },
    millis: LONGEST,
    keyBytes: { least: 1, most: 512 },
    saltBytes: { least: 0, most: 256 },
  },
  /**
   * Implementations write fewer rounds as 1000. Passlib's default is 656,000; 1,400,000 take 0.4 s, and 2.4 s without
   * WebAssembly.
   */
  shaCrypt: { rounds: { least: 1000, most: 1_400_000 }, passwordBytes: { least: 0, most: 1024 } },
  /** PasswordHash.php takes 7 to 30, WordPress and phpBB write 8 and 11 to 13; 2^18 take a fortieth of a second. */
  phpass: { log2: { least: 7, most: 18 }, passwordBytes: { least: 0, most: 4096 } },
  /** Drupal writes 15 and 16; 2^20 take 0.25 s, and 1.8 s without WebAssembly. */
  drupal: { log2: { least: 7, most: 20 } },
  /** NetBSD writes about 20,000, passlib 480,000; 900,000 take 1.9 s. */
  sha1Crypt: { rounds: { least: 1, most: 900_000 } },
  /** More than the 4,096 of every hash: Solaris adds 904, libxcrypt 32,768 to 98,303; 600,000 take 1.9 s. */
  sunMd5: { rounds: { least: 0, most: 600_000 } },
  shiro: { iterations: ITERATED },
  fshp: { rounds: ITERATED, saltBytes: { least: 0, most: 64 } },
  sap: { rounds: ITERATED, saltBytes: { least: 1, most: 64 } },
  /** AIX writes 6; 2^20 iterations of PBKDF2 take 0.5 s at most. */
  aix: { log2: { least: 0, most: 20 } },
  /**
   * Rounds are written in thousands; MySQL's default is 5,000; 1,000,000 take 0.3 s, and 1.2 s without WebAssembly.
   */
  cachingSha2: {
    rounds: { least: 1000, most: 1_000_000 },
    passwordBytes: { least: 0, most: 256 },
  },
  /** Debian, Fedora and Ubuntu write 16 MiB; 64 MiB take 1.3 s. */
  yescrypt: {
    n: { least: 4, most: 2 ** 19 },
    bytes: { least: 512, most: 64 * MIB },
    saltBytes: { least: 0, most: 64 },
  },
  /** FreeBSD and passlib write 5,001 or less; 4,000,000 take about a second. */
  bsdi: { turns: { least: 1, most: 4_000_000 } },
  /** QNX writes 1,000. All rounds are one message, which holds the password as often. */
  qnx: { rounds: { least: 0, most: 20_000 }, passwordBytes: { least: 0, most: 512 } },
  /** A salt that stands behind a bare digest or in a column of its own. */
  digest: { saltBytes: { least: 1, most: 64 } },
  /** Recipes come from rows. NetIQ and Oracle Transportation Management are read as recipes too. */
  recipe: {
    characters: { least: 1, most: 512 },
    rounds: { least: 1, most: 1_000_000 },
    pbkdf2Rounds: { least: 1, most: 3_000_000 },
    derivedBytes: { least: 8, most: 1024 },
    inputBytes: { least: 0, most: 4096 },
    millis: { least: 0, most: 1_500 },
  },
  /** Where one check is several pieces of work: layers, digests that may be meant, candidates of a row. */
  check: { millis: LONGEST },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Bounds>>>>

/** The same for people, one phrase for each kind of work. */
export const ceilingWords = {
  fixed: 'fixed work',
  inner: 'that of the hash inside',
  bcrypt: `cost ${range(ceilings.bcrypt.cost)}`,
  bcryptTwice: `cost ${range(ceilings.bcrypt.cost)}, ${seconds(ceilings.check.millis)}`,
  argon2: argon2Words(),
  scrypt: `memory up to ${mib(ceilings.scrypt.bytes.most)}, ${ceilings.scrypt.p.most} lanes, ${seconds(ceilings.scrypt.millis)}`,
  pbkdf2: `${upTo(ceilings.pbkdf2.iterations)} iterations, ${seconds(ceilings.pbkdf2.millis)}`,
  shaCrypt: `${range(ceilings.shaCrypt.rounds)} rounds`,
  phpass: `${powers(ceilings.phpass.log2)} rounds`,
  drupal: `${powers(ceilings.drupal.log2)} rounds`,
  sha1Crypt: `${upTo(ceilings.sha1Crypt.rounds)} rounds`,
  sunMd5: `${upTo(ceilings.sunMd5.rounds)} rounds more than 4,096`,
  shiro: `${upTo(ceilings.shiro.iterations)} iterations`,
  fshp: `${upTo(ceilings.fshp.rounds)} rounds`,
  sap: `${upTo(ceilings.sap.rounds)} rounds`,
  aix: `${powers(ceilings.aix.log2)} iterations`,
  cachingSha2: `${upTo(ceilings.cachingSha2.rounds)} rounds`,
  yescrypt: `memory up to ${mib(ceilings.yescrypt.bytes.most)}`,
  bsdi: `${upTo(ceilings.bsdi.turns)} turns`,
  qnx: `${upTo(ceilings.qnx.rounds)} rounds`,
  recipe: `${upTo(ceilings.recipe.rounds)} rounds, ${upTo(ceilings.recipe.pbkdf2Rounds)} of PBKDF2, ${seconds(ceilings.recipe.millis)}`,
} as const

/** The value. Throws HashError: `malformed` below the least, `too-costly` above the most. `what` begins the message. */
export function affordable(value: number, { least, most }: Bounds, what: string): number {
  // Not a number is neither below nor above.
  if (!(value >= least)) throw new HashError('malformed', `${what}: ${whole(least)} at least`)
  if (value > most) throw new HashError('too-costly', `${what}: ${whole(most)} at most`)
  return value
}

/** Whether so many bytes or characters may be there. A length costs nothing, so what is outside is malformed. */
export function isWithin(length: number, { least, most }: Bounds): boolean {
  return length >= least && length <= most
}

function argon2Words(): string {
  const { kibibytes, passes, lanes, millis } = ceilings.argon2
  return `memory up to ${mib(kibibytes.most * 1024)}, ${passes.most} passes, ${lanes.most} lanes, ${seconds(millis)}`
}

function whole(value: number): string {
  return value.toLocaleString('en-US')
}

function range({ least, most }: Bounds): string {
  return `${whole(least)} to ${whole(most)}`
}

function upTo({ most }: Bounds): string {
  return `up to ${whole(most)}`
}

function powers({ least, most }: Bounds): string {
  return `2^${least} to 2^${most}`
}

function seconds({ most }: Bounds): string {
  return `${most / 1000} s`
}

function mib(bytes: number): string {
  return bytes >= 1024 * MIB ? `${bytes / MIB / 1024} GiB` : `${bytes / MIB} MiB`
}
