// The container's health check: asks the admin listener of this container whether it lives.
const listen = process.env.ADMIN_LISTEN || '127.0.0.1:8081'
const at = listen.lastIndexOf(':')
const host = listen.slice(0, at)
/** A listener on every address is reached by this machine's own; one on a single address by that alone. */
const reached: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '[::1]', '[::]': '[::1]' }
const alive = await fetch(`http://${reached[host] ?? host}:${listen.slice(at + 1)}/healthz`, {
  signal: AbortSignal.timeout(2_000),
}).then(
  ({ ok }) => ok,
  () => false,
)
process.exit(alive ? 0 : 1)
