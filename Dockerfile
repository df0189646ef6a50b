# The registry as an image: docker build -t countersign-registry .
# Two volumes: /data has the keys (and SQLite's database), /state what the log was last seen at. Never back them up as one:
# docs/operate/back-up.md says why.
ARG NODE_VERSION=20

FROM node:${NODE_VERSION}-bookworm-slim AS tools
RUN apt-get update \
  && apt-get install --yes --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
COPY client/package.json client/

# What it runs with: the native module is the only one that has something to build.
FROM tools AS dependencies
RUN npm ci --omit=dev --ignore-scripts && npm rebuild better-sqlite3

FROM tools AS build
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY client client
COPY src src
RUN npm run build

FROM node:${NODE_VERSION}-bookworm-slim
ENV NODE_ENV=production \
  COUNTERSIGN_LISTEN=0.0.0.0:8460 \
  COUNTERSIGN_DATA_DIR=/data \
  COUNTERSIGN_ROLLBACK_FILE=/state/registry.rollback
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY bin bin
COPY migrations migrations
COPY client/package.json client/
COPY client/bin client/bin
COPY --from=build /app/client/dist client/dist
COPY --from=build /app/dist dist
RUN mkdir --mode=0700 /data /state && chown node:node /data /state
USER node
VOLUME ["/data", "/state"]
EXPOSE 8460
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8460/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "bin/countersign-registry.js"]
CMD ["serve"]
