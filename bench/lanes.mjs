// The speed of bcrypt on one core: full lanes against a bare loop of bcryptjs, and a check that is alone against
// `@node-rs/bcrypt`, which is Rust compiled for this machine. After `npm run build`. Start it with `taskset -c 1` on a
// machine that does other work. The rivals take turns, and each one's best turn counts.
import { fileURLToPath } from 'node:url'
import bcryptjs from 'bcryptjs'
import { report } from './lib/report.mjs'

const COST = 10
const TURNS = 12

const dist = process.env.DIST ?? fileURLToPath(new URL('../dist', import.meta.url))
const { readHash } = await import(`${dist}/hashes/index.js`)
const { lanesWork, runLanes } = await import(`${dist}/hashes/lanes.js`)
const { createEksLanes } = await import(`${dist}/lanes/eks-lanes.js`)
const { eksModule } = await import(`${dist}/lanes/eks-module.js`)
const nodeRs = await import('@node-rs/bcrypt').catch(() => null)

const encoded = bcryptjs.hashSync('password', COST)
const { lane } = readHash({ encoded, scheme: null, salt: null, login: '', id: '' })
const passwords = Array.from({ length: lane.most }, (_, index) =>
  Buffer.from(index === 0 ? 'password' : 'wrong'),
)

const testMillis = millisOf(() => {
  if (!lanesWork()) throw new Error('the lanes do not work here')
})
const rivals = [
  ...passwords.map((_, index) => ({ name: `lanes ${index + 1}`, run: () => check(index + 1) })),
  { name: 'bcryptjs', run: () => bcryptjs.compareSync('password', encoded) },
  ...(nodeRs ? [{ name: 'node-rs', run: () => nodeRs.compareSync('password', encoded) }] : []),
]
const best = new Map(rivals.map(({ name }) => [name, Number.POSITIVE_INFINITY]))
for (let turn = 0; turn < TURNS; turn++)
  for (const { name, run } of rivals) best.set(name, Math.min(best.get(name), millisOf(run)))

const bare = 1_000 / best.get('bcryptjs')
for (let count = 1; count <= lane.most; count++)
  report(
    `bcrypt ${COST}: checks a second on one core, ${count} at once`,
    (1_000 * count) / best.get(`lanes ${count}`),
    'checks/s',
    'bcryptjs',
    bare,
  )
report(
  `bcrypt ${COST}: a check alone`,
  best.get('lanes 1'),
  'ms',
  '@node-rs/bcrypt',
  best.get('node-rs') ?? null,
)
const made = millisOf(() => eksModule(lane.most))
report('lanes: bytes of a module made', made, 'ms')
report('lanes: modules compiled and tested, once a process', testMillis, 'ms')
const again = createEksLanes()
const job = { key: { words: new Int32Array(18), guard: 0 }, salt: Buffer.alloc(16) }
report(
  'lanes: a module made, compiled and used at cost 4',
  millisOf(() => again([job], 4)),
  'ms',
)

function check(count) {
  const verdicts = runLanes(passwords.slice(0, count).map((password) => lane.job(password)))
  if (verdicts.some((verdict, index) => verdict !== (index === 0))) throw new Error('a verdict is wrong')
}

function millisOf(run) {
  const started = performance.now()
  run()
  return performance.now() - started
}
