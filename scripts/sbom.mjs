// Writes the bill of materials of what runs in production, as CycloneDX 1.5, from package-lock.json alone: the same lock gives
// the same bytes. `npm sbom --omit dev` is not used because it leaves out every package that a development tool needs too,
// hono and half of pg among them (npm 11.19.1).
// Usage: npm run sbom [-- FILE]     default: sbom.json
import { readFileSync, writeFileSync } from 'node:fs'
import { runtimePackages } from './runtime-packages.mjs'

const { name, version, license } = JSON.parse(readFileSync('package.json', 'utf8'))
const packages = runtimePackages(JSON.parse(readFileSync('package-lock.json', 'utf8')))
const reference = (entry) => `${entry.name}@${entry.version}`
const root = { name, version, license }
const direct = JSON.parse(readFileSync('package.json', 'utf8'))

const bill = {
  bomFormat: 'CycloneDX',
  specVersion: '1.5',
  version: 1,
  metadata: { component: { ...component(root), type: 'application' } },
  components: packages.map((entry) => ({
    ...component(entry),
    scope: entry.optional ? 'optional' : 'required',
    hashes: [hashOf(entry)],
  })),
  dependencies: [
    {
      ref: reference(root),
      dependsOn: dependsOn({ ...direct.dependencies, ...direct.optionalDependencies }),
    },
    ...packages.map((entry) => ({
      ref: reference(entry),
      dependsOn: dependsOn({ ...entry.dependencies, ...entry.optionalDependencies }),
    })),
  ],
}
writeFileSync(process.argv[2] ?? 'sbom.json', `${JSON.stringify(bill, null, 2)}\n`)

function component(entry) {
  return {
    'bom-ref': reference(entry),
    type: 'library',
    name: entry.name,
    version: entry.version,
    purl: `pkg:npm/${entry.name.replace('@', '%40')}@${entry.version}`,
    ...(entry.license && { licenses: [{ license: { id: entry.license } }] }),
  }
}

/** npm writes the digest of the tarball as base64 after the name of the algorithm; CycloneDX wants hex. */
function hashOf({ integrity }) {
  const [, digest] = /^sha512-(.+)$/.exec(integrity)
  return { alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') }
}

function dependsOn(wanted) {
  return packages
    .filter((entry) => entry.name in wanted)
    .map(reference)
    .sort()
}
