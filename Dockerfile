# Eight images from one build: five services, two jobs that run once, migrate and certificates, and load.
# Needs BuildKit (the default with Compose v2), for the mounts; no frontend is pulled.

# The builder's Debian release is the runtime's, so that both have the same libc.
FROM rust:1.95-bookworm AS builder
ARG PROFILE=release
# Queries are checked against .sqlx/, not against a database.
ENV SQLX_OFFLINE=true
# Sources and target directory live together in one cache. Cargo compares modification times, which
# differ between clones and branches, so only files whose content changed are copied in: a rebuild
# compiles the crates that changed, a second clone with the same sources compiles nothing, and a
# build never takes another branch's object files for its own.
RUN --mount=type=bind,target=/src \
    --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,id=epro-build,target=/build,sharing=locked \
    set -eu; \
    cd /src; \
    find . -type f | while read -r file; do \
        cmp -s "$file" "/build/$file" || { mkdir -p "/build/${file%/*}"; cp "$file" "/build/$file"; }; \
    done; \
    cd /build; \
    find . -path ./target -prune -o -type f -print | while read -r file; do \
        [ -e "/src/$file" ] || rm "$file"; \
    done; \
    cargo build --locked --profile "$PROFILE" --bins --target-dir target \
        -p gateway -p user-svc -p epro-svc -p data-svc -p notify-svc -p migrations -p certificates -p load; \
    mkdir /out; \
    cd "target/$PROFILE"; \
    cp gateway user-svc epro-svc data-svc notify-svc migrate certificates load /out/; \
    for name in gateway user-svc epro-svc data-svc notify-svc migrate postgres; do mkdir -p "/out/holders/$name"; done

FROM gcr.io/distroless/cc-debian12:nonroot AS runtime
# The user "nonroot", by number so that an orchestrator can see that it is not root.
USER 65532:65532

FROM runtime AS gateway
COPY --from=builder /out/gateway /usr/local/bin/
EXPOSE 8080
ENTRYPOINT ["gateway"]

FROM runtime AS user-svc
# What a PIN check has taken, 19 MiB, goes back at once: mimalloc waits for the next one otherwise.
ENV MIMALLOC_PURGE_DELAY=0
COPY --from=builder /out/user-svc /usr/local/bin/
EXPOSE 50051
ENTRYPOINT ["user-svc"]

FROM runtime AS epro-svc
COPY --from=builder /out/epro-svc /usr/local/bin/
EXPOSE 50052
ENTRYPOINT ["epro-svc"]

FROM runtime AS data-svc
COPY --from=builder /out/data-svc /usr/local/bin/
EXPOSE 50053
ENTRYPOINT ["data-svc"]

FROM runtime AS notify-svc
COPY --from=builder /out/notify-svc /usr/local/bin/
EXPOSE 50054
ENTRYPOINT ["notify-svc"]

FROM runtime AS migrate
COPY --from=builder /out/migrate /usr/local/bin/
ENTRYPOINT ["migrate"]

FROM runtime AS certificates
COPY --from=builder /out/certificates /usr/local/bin/
# A volume that is mounted here for the first time belongs to whom the folder does.
COPY --from=builder --chown=65532:65532 /out/holders /certificates
ENTRYPOINT ["certificates"]

FROM runtime AS load
COPY --from=builder /out/load /usr/local/bin/
ENTRYPOINT ["load"]
