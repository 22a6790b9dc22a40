# The service as a container: no shell, no package manager, no development dependencies, an account without rights.
# It writes nothing: run it with a read-only root file system.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json ./
COPY scripts scripts
RUN ["npm", "ci"]
COPY src src
RUN ["npm", "run", "build"]
# Without the embedded PostgreSQL: a container has DATABASE_URL. `--omit=optional` would leave out the native code of
# Argon2 too.
RUN ["npm", "pkg", "delete", "optionalDependencies"]
RUN ["npm", "prune", "--omit=dev"]

FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY migrations migrations
USER 10001:10001
ENV NODE_ENV=production NODE_OPTIONS=
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/nodejs/bin/node", "/app/dist/healthcheck.js"]
# node is process 1 and handles SIGTERM itself. Other commands: docker run IMAGE dist/bin.js migrate
ENTRYPOINT ["/nodejs/bin/node"]
CMD ["--disable-proto=delete", "--disable-sigusr1", "dist/bin.js", "serve"]
