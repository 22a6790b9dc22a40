# The service as a container: no shell, no package manager, no development dependencies, an account without rights.
# It writes nothing: run it with a read-only root file system.
#
# Both images by their digest, which only your own registry can vouch for. Look it up, look at what has changed, then pin it:
#   docker build --build-arg BUILD_IMAGE=node:24-bookworm-slim@sha256:... --build-arg RUN_IMAGE=...@sha256:... .
ARG BUILD_IMAGE=node:24-bookworm-slim
ARG RUN_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json LICENSE ./
COPY scripts scripts
RUN ["npm", "ci"]
COPY src src
COPY migrations migrations
RUN ["npm", "run", "build"]
RUN ["node", "scripts/production-tree.mjs", "/image"]

FROM ${RUN_IMAGE}
WORKDIR /app
COPY --from=build /image /app
USER 10001:10001
ENV NODE_ENV=production NODE_OPTIONS=
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["/nodejs/bin/node", "--permission", "--allow-fs-read=/app", "/app/dist/healthcheck.js"]
# What node may do: read its own code, secrets (/run/secrets) and other settings' files (/etc/carryover), run threads and the
# native code of Argon2, whose package looks for /etc/alpine-release. It writes no file but the mask of its own core dumps,
# starts no process and opens no debugger. Node 25 and newer need --allow-net besides.
# 192 MiB of JavaScript, CHECK_MEMORY_MIB for Argon2 and scrypt, and 192 MiB for the rest: see docs/deploy.md.
# node is process 1 and handles SIGTERM itself. Other commands: docker run IMAGE migrate
ENTRYPOINT ["/nodejs/bin/node", "--disable-proto=delete", "--disable-sigusr1", "--disallow-code-generation-from-strings", \
  "--max-http-header-size=8192", "--max-old-space-size=192", "--permission", "--allow-fs-read=/app", \
  "--allow-fs-read=/run/secrets", "--allow-fs-read=/etc/carryover", "--allow-fs-read=/etc/alpine-release", \
  "--allow-fs-write=/proc/self/coredump_filter", "--allow-addons", "--allow-worker", "/app/dist/bin.js"]
CMD ["serve"]
