/** How this process was started, as far as it says who can look into it. */
export interface Start {
  /** Node's own options, of the command line. Those of NODE_OPTIONS stand in `env`. */
  readonly options: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether a debugger can connect already, however it was switched on. */
  readonly debuggable: boolean
}

/** Options of Node by their long names, and why no process that sees passwords may have them. */
const OPENING_OPTIONS: readonly (readonly [RegExp, string])[] = [
  [/^--(inspect|debug)(-|$)|^--experimental-.*-inspection$/, 'opens a debugger, which shows all memory'],
  [/^--heapsnapshot-/, 'writes all memory to a file'],
  [/^--(heap|cpu)-prof(-|$)|^--(prof|perf|ll-prof)(-|$)/, 'writes profiles'],
  [/^--report-(on-|uncaught-)/, 'writes reports, which hold the environment'],
  [/^--abort-on-uncaught-exception$/, 'turns every crash into a core dump'],
  [/^--(trace|log|print)(-|$)/, 'prints what the program does'],
  [/^--tls-keylog$/, 'writes the keys of connections to a file'],
  [/^--insecure-http-parser$/, 'takes requests that can be read in two ways'],
  [/^--(require|import|loader|experimental-loader|eval)$|^-[rep]+$/, 'runs code that is not of this program'],
  [/^--experimental-(default-)?config-file$/, 'reads more options from a file'],
  [/^--unhandled-rejections$/, 'changes what happens after an error that nobody expected'],
]

/** Variables that Node itself reads. NODE_OPTIONS is read as options are. */
const OPENING_VARIABLES: readonly (readonly [string, (value: string) => boolean, string])[] = [
  ['NODE_DEBUG', isSet, 'prints traffic'],
  ['NODE_DEBUG_NATIVE', isSet, 'prints traffic'],
  ['NODE_V8_COVERAGE', isSet, 'writes what the program does to files'],
  ['SSLKEYLOGFILE', isSet, 'asks for the keys of connections in a file'],
  ['NODE_TLS_REJECT_UNAUTHORIZED', (value) => value === '0', 'lets any server pass for the right one'],
]

/**
 * Everything by which this start would let passwords out, as `--inspect opens a debugger`. Names options and variables,
 * and no value. It guards against a setting that was forgotten: whoever can set these can also run another program.
 */
export function openings({ options, env, debuggable }: Start): readonly string[] {
  const given = [...options, ...wordsOf(env.NODE_OPTIONS ?? '')].map(nameOf)
  const byOption = given.flatMap((name) => {
    const why = OPENING_OPTIONS.find(([shape]) => shape.test(name))?.[1]
    return why === undefined ? [] : [`${name} ${why}`]
  })
  const byVariable = OPENING_VARIABLES.flatMap(([name, opens, why]) =>
    opens(env[name] ?? '') ? [`${name} ${why}`] : [],
  )
  const found = [...new Set([...byOption, ...byVariable])]
  return found.length === 0 && debuggable ? ['a debugger is open'] : found
}

function isSet(value: string): boolean {
  return value !== ''
}

/** Node takes quotes and backslashes in NODE_OPTIONS; of a value with spaces each word is looked at. */
function wordsOf(text: string): string[] {
  return text
    .replace(/["\\]/g, '')
    .split(/\s+/)
    .filter((word) => word !== '')
}

/** Node takes `_` for `-`. */
function nameOf(option: string): string {
  return option.replace(/=.*/s, '').replaceAll('_', '-')
}
