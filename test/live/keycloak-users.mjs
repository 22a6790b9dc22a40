// The users of the old system, and each one's password. Node's own functions and the libraries make the hashes.
import { createHash, pbkdf2Sync, randomBytes, randomUUID } from 'node:crypto'
import { hash as argon2id } from '@node-rs/argon2'
import bcrypt from 'bcryptjs'

const digest = (algorithm, text) => createHash(algorithm).update(text).digest('hex')

const hashes = {
  bcrypt: async (password) => ({ password_hash: await bcrypt.hash(password, 10) }),
  argon2id: async (password) => ({ password_hash: await argon2id(password) }),
  'salted sha256': async (password) => {
    const salt = randomBytes(8).toString('hex')
    const password_hash = digest('sha256', salt + password)
    return { password_hash, hash_scheme: 'sha256($salt.$pass)', salt }
  },
  md5: async (password) => ({ password_hash: digest('md5', password), hash_scheme: 'md5' }),
  django: async (password) => {
    const salt = randomBytes(8).toString('hex')
    const key = pbkdf2Sync(password, salt, 20_000, 32, 'sha256').toString('base64')
    return { password_hash: `pbkdf2_sha256$20000$${salt}$${key}` }
  },
}

const PEOPLE = {
  ada: {
    login: 'ada',
    email: 'ada+shop@example.com',
    id: randomUUID(),
    scheme: 'bcrypt',
    profile: {
      given_name: 'Ada',
      family_name: 'Lovelace',
      email_verified: true,
      phone_number: '+15550100000',
      salary: 1,
      duties: ['editor', 'owner'],
    },
  },
  grace: {
    login: 'Grace.HOPPER',
    email: 'Grace@example.com',
    scheme: 'salted sha256',
    profile: { given_name: 'Grace', family_name: 'Hopper' },
  },
  edsger: {
    login: 'edsger+w@example.com',
    email: 'edsger+w@example.com',
    scheme: 'argon2id',
    profile: { given_name: 'Edsger', family_name: 'Dijkstra' },
  },
  juergen: {
    login: 'Jürgen Öz',
    email: 'juergen@example.com',
    scheme: 'django',
    profile: { given_name: 'Jürgen', family_name: 'Öz' },
  },
  off: {
    login: 'off',
    email: 'off@example.com',
    scheme: 'md5',
    status: 'disabled',
    profile: { given_name: 'No', family_name: 'Body' },
  },
  nameless: { login: 'nameless', email: 'nameless@example.com', scheme: 'md5', profile: {} },
  known: {
    login: 'known',
    email: 'known@example.com',
    scheme: 'md5',
    profile: { given_name: 'Known', family_name: 'Already' },
  },
  late: {
    login: 'late',
    email: 'late@example.com',
    scheme: 'md5',
    profile: { given_name: 'Late', family_name: 'Comer' },
  },
  short: {
    login: 'short',
    email: 'short@example.com',
    scheme: 'md5',
    profile: { given_name: 'Short', family_name: 'Password' },
  },
  prey: {
    login: 'prey',
    email: 'prey@example.com',
    scheme: 'md5',
    profile: { given_name: 'Any', family_name: 'Body' },
  },
}

/** Everybody, each with a password of their own. */
export const people = Object.fromEntries(
  Object.entries(PEOPLE).map(([name, person]) => [
    name,
    { ...person, password: `${randomBytes(9).toString('base64url')} é+%&"` },
  ]),
)

/** Lines of a JSON Lines file for `carryover load`. */
export async function rows() {
  const made = Object.values(people).map(async (person, at) => {
    const { login, email, id = `L-${at}`, status = 'active', profile } = person
    return { id, login, email, status, profile, ...(await hashes[person.scheme](person.password)) }
  })
  return Promise.all(made)
}
