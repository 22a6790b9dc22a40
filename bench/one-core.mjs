// Checks a second on one core, by scheme and cost: what sizing starts from. Checks that can share a call do.
import { report } from './lib/report.mjs'
import { DIST } from './lib/service.mjs'

const { readHash, exampleStored } = await import(`${DIST}/hashes/index.js`)
const { runLanes } = await import(`${DIST}/hashes/lanes.js`)

const SECONDS = Number(process.env.SECONDS ?? 2)
const PASSWORD = Buffer.from('a usual password')
const ARGON2 = 'Y2FycnlvdmVyY2Fycnlvdg$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo'

const bcrypt = (cost) => exampleStored('bcrypt').encoded.replace('$10$', `$${cost}$`)
const schemes = [
  ['bcrypt, cost 10', bcrypt('10')],
  ['bcrypt, cost 11', bcrypt('11')],
  ['bcrypt, cost 12', bcrypt('12')],
  ['Argon2id, m=19 MiB t=2 p=1', `$argon2id$v=19$m=19456,t=2,p=1$${ARGON2}`],
  ['Argon2id, m=64 MiB t=3 p=4', `$argon2id$v=19$m=65536,t=3,p=4$${ARGON2}`],
  ['scrypt, N=16384 r=8 p=1', exampleStored('scrypt-phc').encoded.replace(/ln=\d+/, 'ln=14')],
  ['PBKDF2-SHA256, 600,000 rounds', exampleStored('pbkdf2-phc').encoded],
  ['PBKDF2-SHA512, 210,000 rounds', exampleStored('keycloak').encoded],
  ['sha512crypt, 5,000 rounds', exampleStored('sha512crypt').encoded],
  ['phpass, 8,192 rounds', exampleStored('phpass').encoded],
  ['md5crypt', exampleStored('md5crypt').encoded],
]

for (const [title, encoded] of schemes) {
  const hash = readHash({ encoded, scheme: null, salt: null, login: '', id: '' })
  report(`one core: ${title}`, await checksASecond(hash), '/s')
}

async function checksASecond(hash) {
  const { lane } = hash
  const together = lane ? Array.from({ length: lane.most }, () => lane.job(PASSWORD)) : null
  const work = together ? () => runLanes(together) : () => hash.matches(PASSWORD)
  for (let warm = 0; warm < 3; warm++) await work()
  const started = performance.now()
  let calls = 0
  do {
    await work()
    calls++
  } while (performance.now() - started < SECONDS * 1_000)
  return (1_000 * calls * (together?.length ?? 1)) / (performance.now() - started)
}
