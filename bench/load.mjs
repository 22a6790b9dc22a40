// The speed of `carryover load`: a million rows, against `psql \copy` of the same file into a bare table on the same
// server in the same run. After `npm run build`. ROWS=n for another number of rows, KEEP=dir keeps the file there.
import { execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createWriteStream, existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { report } from './lib/report.mjs'

const dist = process.env.DIST ?? fileURLToPath(new URL('../dist', import.meta.url))
const { startEmbedded } = await import(`${dist}/db/embedded.js`)
const { migrateDatabase } = await import(`${dist}/db/migrate.js`)

const rows = Number(process.env.ROWS ?? 1_000_000)
const directory = process.env.KEEP ?? (await mkdtemp(join(tmpdir(), 'carryover-bench-')))
const file = join(directory, `users-${rows}.csv`)
const server = await startEmbedded({ settings: ['log_statement=none'] })
try {
  if (!existsSync(file)) await writeUsers(file, rows)
  const url = await server.database('bench')
  await migrateDatabase(url)
  const reference = await psqlSeconds(url)
  const first = await loadOnce(url)
  report('load: rows a second', rows / first.seconds, 'rows/s', 'psql \\copy', reference && rows / reference)
  report('load: peak resident memory', first.peakMiB, 'MiB')
  const again = await loadOnce(url)
  report(
    'load: rows a second, again and unchanged',
    rows / again.seconds,
    'rows/s',
    'psql \\copy',
    reference && rows / reference,
  )
  const [median, slowest] = await countsMillis(url)
  report(`counts: GET /counts at ${rows} users, median`, median, 'ms')
  report(`counts: GET /counts at ${rows} users, slowest of 500`, slowest, 'ms')
} finally {
  await server.stop()
  if (process.env.KEEP === undefined) await rm(directory, { recursive: true })
}

/** Seconds of the faster of two runs; null: there is no psql on this machine. */
async function psqlSeconds(url) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const runs = []
    for (let run = 0; run < 2; run++) {
      await client.query(`drop table if exists bare; create table bare (id text, login text, email text,
        password_hash text, hash_scheme text, salt text, status text, cohort text, profile jsonb, updated_at timestamptz)`)
      const started = performance.now()
      execFileSync('psql', [url, '-X', '-q', '-c', `\\copy bare from '${file}' csv header`], {
        stdio: 'ignore',
      })
      runs.push((performance.now() - started) / 1_000)
    }
    await client.query('drop table bare')
    return Math.min(...runs)
  } catch (error) {
    if (error.code === 'ENOENT') return null
    throw error
  } finally {
    await client.end()
  }
}

/** Over HTTP, from the admin listener. */
async function countsMillis(url) {
  const { startService } = await import(`${dist}/main.js`)
  const { readConfig } = await import(`${dist}/config.js`)
  const [token, secret] = [randomBytes(32), randomBytes(32)].map((bytes) => bytes.toString('base64url'))
  const listen = { HOOKS_LISTEN: '127.0.0.1:0', ADMIN_LISTEN: '127.0.0.1:0' }
  const config = readConfig({ ...listen, ADMIN_TOKENS: token, OKTA_HOOK_SECRETS: secret }, url)
  const service = await startService(config, () => {})
  const times = []
  for (let call = 0; call < 500; call++) {
    const started = performance.now()
    const response = await fetch(`${service.adminUrl}/counts`, {
      headers: { authorization: `Bearer ${token}` },
    })
    const { total } = await response.json()
    times.push(performance.now() - started)
    if (total !== rows) throw new Error('the counts are not those of the file')
  }
  await service.stop()
  times.sort((one, other) => one - other)
  return [times[250], times[499]]
}

/** A process of its own, as an operator starts it, so that its peak memory is its own too. */
async function loadOnce(url) {
  const program = `import { load } from ${JSON.stringify(`${dist}/commands/load.js`)}
    const io = { env: process.env, stdin: process.stdin, terminal: false, stop: new AbortController().signal,
      out: (text) => process.stderr.write(text), err: (text) => process.stderr.write(text) }
    const started = performance.now()
    const code = await load.run([process.env.FILE], io)
    console.log(JSON.stringify({ code, seconds: (performance.now() - started) / 1000,
      peakMiB: process.resourceUsage().maxRSS / 1024 }))`
  // Threads take over how node was started, and none may be started with --input-type.
  const path = join(directory, 'load.mjs')
  await writeFile(path, program)
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [path], {
      env: { ...process.env, DATABASE_URL: url, FILE: file },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
    })
    child.once('close', () => {
      try {
        done(JSON.parse(said))
      } catch {
        failed(new Error('the load did not finish'))
      }
    })
  })
}

async function writeUsers(path, count) {
  const out = createWriteStream(path)
  out.write('id,login,email,password_hash,hash_scheme,salt,status,cohort,profile,updated_at\n')
  let text = ''
  for (let user = 0; user < count; user++) {
    const login = `user${user}@example.com`
    const profile = `"{""given_name"":""Given${user % 1000}"",""family_name"":""Family${user}"",""phone_number"":""+4915${user}""}"`
    const cohort = ['retail', 'business', 'staff'][user % 3]
    text += `u${user},${login},${login},${bcryptLike(user)},,,active,${cohort},${profile},2025-01-02T03:04:05Z\n`
    if (text.length < 1_000_000) continue
    if (!out.write(text)) await new Promise((drained) => out.once('drain', drained))
    text = ''
  }
  await new Promise((done) => out.end(text, done))
}

/** Of the shape of a bcrypt hash; no password has it. */
function bcryptLike(user) {
  const alphabet = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  const bytes = createHash('sha512').update(`user ${user}`).digest()
  // The last character of salt and of digest carry two and four bits: only some letters can stand there.
  const letters = Array.from(bytes.subarray(0, 53), (byte) => alphabet[byte & 63])
  letters[21] = '.Oeu'[bytes[60] & 3]
  letters[52] = alphabet[(bytes[61] & 15) << 2]
  return `$2b$10$${letters.join('')}`
}
