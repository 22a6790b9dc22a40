// What one would write without a service like this: a Hono route, a pool of connections, one statement for each thing to do.
// The rival of the sign-ins a second. BARE=select leaves out the insert.
import { createHash, timingSafeEqual } from 'node:crypto'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 })
const app = new Hono()
app.post('/okta/password-import', async (context) => {
  const { data } = await context.req.json()
  const { username, password } = data.context.credential
  const { rows } = await pool.query(
    'select id, password_hash, salt from legacy.users where carryover.name_key(login) = carryover.name_key($1)',
    [username],
  )
  const [user] = rows
  const made = createHash('sha256').update(`${user?.salt}${password}`).digest()
  const matches = user !== undefined && timingSafeEqual(made, Buffer.from(user.password_hash, 'hex'))
  if (process.env.BARE !== 'select')
    await pool.query('insert into bare_outcomes (user_id, matches, at) values ($1, $2, now())', [
      user?.id,
      matches,
    ])
  return context.json({
    commands: [
      { type: 'com.okta.action.update', value: { credential: matches ? 'VERIFIED' : 'UNVERIFIED' } },
    ],
  })
})
await pool.query('create table if not exists bare_outcomes (user_id text, matches boolean, at timestamptz)')
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => {
  process.stderr.write(`${JSON.stringify({ event: 'started', hooks: `http://127.0.0.1:${port}` })}\n`)
})
