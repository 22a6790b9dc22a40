// Plans and runs: how long a plan of hundreds of thousands of users takes, how fast one process brings them to a target that
// has no limit, and what memory both take. The target is a bare HTTPS server that says yes. After `npm run build`. PLANNED=n,n
// and BROUGHT=n for other numbers of users, DIST=dir for another build.
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quantile, report } from './lib/report.mjs'

const dist = process.env.DIST ?? fileURLToPath(new URL('../dist', import.meta.url))
const { startEmbedded } = await import(`${dist}/db/embedded.js`)
const { migrateDatabase } = await import(`${dist}/db/migrate.js`)

const planned = (process.env.PLANNED ?? '200000,1000000').split(',').map(Number)
const brought = Number(process.env.BROUGHT ?? 200_000)
const directory = await mkdtemp(join(tmpdir(), 'carryover-bench-'))
const server = await startEmbedded({ settings: ['log_statement=none'] })
const target = await startTarget()
try {
  const env = {
    OKTA_PROVISION_URL: target.url,
    OKTA_PROVISION_TOKEN_FILE: await written('token', 'bench-token'),
    SECRET_FILE_MODE: '0444',
    OUTBOUND_CA_FILE: await written('ca.pem', target.cert),
    OUTBOUND_ALLOW_ADDRESSES: '127.0.0.0/8',
  }
  for (const users of [...new Set([...planned, brought])]) {
    const url = await server.database(`users_${users}`)
    await migrateDatabase(url)
    const file = join(directory, 'users.csv')
    await writeUsers(file, users)
    await command('load', [file], { DATABASE_URL: url })
    const plan = await command('plan', ['okta', '--offline', '--hashes', 'always', '--json'], {
      ...env,
      DATABASE_URL: url,
    })
    if (planned.includes(users)) {
      report(`plan: ${users} users`, plan.seconds, 's')
      report(`plan: ${users} users, peak resident memory`, plan.peakMiB, 'MiB')
    }
    if (users !== brought) continue
    const id = JSON.parse(plan.out).plan
    const run = await command('provision', [id, '--json'], { ...env, DATABASE_URL: url })
    if (target.created() !== users) throw new Error('the target does not have the users of the plan')
    const quarter = Math.floor(run.residentMiB.length / 4)
    report('provision: users a second, one process, no limit', users / run.seconds, 'users/s')
    report('provision: processor time of a user', run.cpuMs / users, 'ms')
    report('provision: peak resident memory', run.peakMiB, 'MiB')
    report(
      'provision: resident memory in the last quarter of the run, median',
      quantile(run.residentMiB.slice(-quarter), 0.5),
      'MiB',
      'in the second quarter',
      quantile(run.residentMiB.slice(quarter, 2 * quarter), 0.5),
    )
  }
} finally {
  target.close()
  await server.stop()
  await rm(directory, { recursive: true })
}

async function written(name, text) {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

/** A process of its own, as an operator starts it, so that its memory is its own too. */
async function command(name, args, env) {
  // A file, because the workers of `load` cannot inherit a text.
  const program = await written(
    `${name}.mjs`,
    `import { ${name} } from ${JSON.stringify(`${dist}/commands/${name}.js`)}
    const residentMiB = []
    setInterval(() => residentMiB.push(process.memoryUsage.rss() / 2 ** 20), 200).unref()
    let out = ''
    const io = { env: process.env, stdin: process.stdin, terminal: false, stop: new AbortController().signal,
      out: (text) => { out += text }, err: (text) => process.stderr.write(text) }
    const started = performance.now()
    const code = await ${name}.run(JSON.parse(process.env.ARGS), io)
    console.log(JSON.stringify({ code, out, residentMiB, seconds: (performance.now() - started) / 1000,
      peakMiB: process.resourceUsage().maxRSS / 1024, cpuMs: (process.cpuUsage().user + process.cpuUsage().system) / 1000 }))`,
  )
  return new Promise((done, failed) => {
    const child = spawn(process.execPath, [...(process.env.NODE_ARGS?.split(' ') ?? []), program], {
      env: { PATH: process.env.PATH, ...env, ARGS: JSON.stringify(args) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
    })
    child.once('close', () => {
      const result = said === '' ? { code: 1 } : JSON.parse(said)
      if (result.code === 0) done(result)
      else failed(new Error(`${name} did not succeed`))
    })
  })
}

/** Creates whoever is sent, and has no limit. */
async function startTarget() {
  const path = (file) => join(directory, file)
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ].concat(
      ['-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1'],
      ['-keyout', path('target.key'), '-out', path('target.crt')],
    ),
    { stdio: 'pipe' },
  )
  const cert = await readFile(path('target.crt'), 'utf8')
  let created = 0
  const listening = createServer({ key: await readFile(path('target.key')), cert }, (incoming, outgoing) => {
    incoming.resume().on('end', () => {
      const body = JSON.stringify({ id: `00u${created++}`, status: 'ACTIVE', profile: {} })
      outgoing.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'x-rate-limit-limit': '1000000000',
        'x-rate-limit-remaining': '999999999',
        'x-rate-limit-reset': String(Math.ceil(Date.now() / 60_000) * 60),
      })
      outgoing.end(body)
    })
  })
  await new Promise((ready) => listening.listen(0, '127.0.0.1', ready))
  return {
    url: `https://127.0.0.1:${listening.address().port}`,
    cert,
    created: () => created,
    close: () => {
      listening.close()
      listening.closeAllConnections()
    },
  }
}

/** Half of them with a hash that the target reads, half for the hook. */
async function writeUsers(path, count) {
  const out = createWriteStream(path)
  out.write('id,login,email,password_hash,hash_scheme,salt,status,cohort,profile,updated_at\n')
  let text = ''
  for (let user = 0; user < count; user++) {
    const login = `user${user}@example.com`
    const profile = `"{""given_name"":""Given${user % 1000}"",""family_name"":""Family${user}"",""phone_number"":""+4915${user}""}"`
    const cohort = ['retail', 'business', 'staff'][user % 3]
    const digest = createHash('sha256').update(`user ${user}`)
    const hash =
      user % 2 === 0
        ? `${digest.digest('hex')},sha256`
        : `${digest.digest('hex').slice(0, 32)},md5(md5($pass))`
    text += `u${user},${login},${login},${hash},,active,${cohort},${profile},2020-01-02T03:04:05Z\n`
    if (text.length < 1_000_000) continue
    if (!out.write(text)) await new Promise((drained) => out.once('drain', drained))
    text = ''
  }
  await new Promise((done) => out.end(text, done))
}
