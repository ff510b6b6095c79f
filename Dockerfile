# syntax=docker/dockerfile:1
FROM node:20-bookworm-slim AS build
WORKDIR /app
RUN apt-get update -qq \
 && apt-get install -qq --yes --no-install-recommends \
      make g++ python3 ca-certificates libsasl2-dev libzstd-dev liblz4-dev libcurl4-openssl-dev libssl-dev zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
# Dependencies change less often than sources, and compiling the Kafka client takes minutes: a layer of its own.
COPY package.json package-lock.json ./
COPY scripts/command.mjs scripts/debian.mjs scripts/dependencies.mjs scripts/install.mjs scripts/
RUN npm_config_build_from_source=true node scripts/install.mjs
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/addon.mjs scripts/build.mjs scripts/
COPY src src
RUN node scripts/build.mjs \
 && npm prune --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
# Of what the client was compiled in, only the addon and librdkafka's shared libraries run.
RUN cd node_modules/@confluentinc/kafka-javascript \
 && rm -rf deps src build/Release/obj.target build/Release/.deps build/deps/include build/deps/pkgconfig build/deps/*.a

FROM node:20-bookworm-slim
RUN apt-get update -qq \
 && apt-get install -qq --yes --no-install-recommends \
      ca-certificates libsasl2-2 libsasl2-modules libzstd1 liblz4-1 libcurl4 libssl3 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 kstreamd \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kstreamd \
 && install -d -o 10001 -g 10001 /var/lib/kstreamd \
 && ln -s /app/dist/kstreamd.cjs /usr/local/bin/kstreamd
WORKDIR /app
COPY package.json README.md LICENSE ./
COPY config config
COPY pipelines pipelines
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
ENV NODE_ENV=production \
    UV_THREADPOOL_SIZE=8 \
    KSTREAMD_HTTP=0.0.0.0:8080 \
    KSTREAMD_STATE_DIR=/var/lib/kstreamd
USER 10001:10001
# The only place that is written to: the rest runs on a read-only root.
VOLUME /var/lib/kstreamd
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["kstreamd", "healthcheck"]
ENTRYPOINT ["kstreamd"]
