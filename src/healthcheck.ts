// The container's health check: asks the admin listener of this container whether it lives.
const listen = process.env.ADMIN_LISTEN || '127.0.0.1:8081'
const port = listen.slice(listen.lastIndexOf(':') + 1)
const alive = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
  ({ ok }) => ok,
  () => false,
)
process.exit(alive ? 0 : 1)
