# Builds eight images at once: five services, the one-time jobs `migrate` and `certificates`, and `load`. Needs BuildKit
# (the default with Compose v2) for the mounts. No Dockerfile frontend is downloaded.

# The builder has the same Debian release as the runtime, and so the same libc.
FROM rust:1.95-bookworm AS builder
ARG PROFILE=release
# Checks queries against .sqlx/ instead of a database.
ENV SQLX_OFFLINE=true
# Sources and target directory are in one cache. Cargo compares modification times, and these differ between clones and
# branches, so only files with changed content are copied to the cache. Then a rebuild only compiles the changed crates,
# a second clone with the same sources compiles nothing, and no build uses the object files of another branch.
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
# The user "nonroot", given as a number so that an orchestrator can verify that it is not root.
USER 65532:65532

FROM runtime AS gateway
COPY --from=builder /out/gateway /usr/local/bin/
EXPOSE 8080
ENTRYPOINT ["gateway"]

FROM runtime AS user-svc
# Returns the 19 MiB of a PIN check to the system at once. By default mimalloc would keep them for a while.
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
# A new volume that is mounted here gets the owner of this folder.
COPY --from=builder --chown=65532:65532 /out/holders /certificates
ENTRYPOINT ["certificates"]

FROM runtime AS load
COPY --from=builder /out/load /usr/local/bin/
ENTRYPOINT ["load"]
