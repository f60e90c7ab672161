# Code server, webserver, daemon and the command `dltsync` in one image; docker-compose.yml and deploy/ start it with different commands.
#
# A tag may come to mean another image. Pin the base by its digest, which the registry knows; the release workflow does so:
#   docker buildx imagetools inspect python:3.12-slim-bookworm --format '{{.Manifest.Digest}}'
#   docker build --build-arg BASE=python:3.12-slim-bookworm@sha256:… .
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS dependencies
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml constraints.txt LICENSE ./
# What dltsync needs, without dltsync: this layer stays as long as these files do.
RUN python -m venv /opt/dltsync \
    && /opt/dltsync/bin/pip install --constraint constraints.txt '.[deploy]' \
    && /opt/dltsync/bin/pip uninstall --yes dltsync

FROM dependencies AS package
COPY dltsync_core dltsync_core
COPY dltsync_dagster dltsync_dagster
COPY sqlserver_sandbox sqlserver_sandbox
RUN /opt/dltsync/bin/pip wheel --no-deps --wheel-dir /dist .

FROM ${BASE}
# pyodbc needs unixODBC; Microsoft's driver (inside the mssql-python-odbc wheel) needs libltdl and Kerberos. Their versions are those of
# the pinned base's Debian: Debian's mirrors drop a version when the next one appears, so a pinned one would end the build.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends unixodbc libltdl7 libgssapi-krb5-2 \
    && rm -rf /var/lib/apt/lists/*
# The directories that volumes are mounted at: a new volume gets the owner of what it covers.
RUN useradd --create-home --uid 10001 dltsync \
    && for name in "" /dagster /data /state /logs; do install -d -o dltsync -g dltsync -m 0750 "/var/lib/dltsync$name"; done
COPY --from=dependencies /opt/dltsync /opt/dltsync
RUN --mount=type=bind,from=package,source=/dist,target=/dist \
    /opt/dltsync/bin/pip install --no-cache-dir --no-deps --no-index /dist/*.whl
COPY --chmod=0755 docker/entrypoint.sh /usr/local/bin/dltsync-entrypoint

ENV PATH=/opt/dltsync/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RUNTIME__DLTHUB_TELEMETRY=false \
    DAGSTER_DISABLE_TELEMETRY=yes \
    DAGSTER_HOME=/var/lib/dltsync/dagster \
    DAGSTER_COMPUTE_LOGS=/var/lib/dltsync/logs/dagster \
    DLT_SYNC_CONFIG=/etc/dltsync/dltsync.yaml
WORKDIR /var/lib/dltsync
# By number: `runAsNonRoot` of Kubernetes cannot check a name.
USER 10001
EXPOSE 4000
ENTRYPOINT ["dltsync-entrypoint"]
CMD ["dagster", "api", "grpc", "-m", "dltsync_dagster.definitions", "-a", "defs", "-h", "0.0.0.0", "-p", "4000"]
HEALTHCHECK --interval=30s --timeout=20s --start-period=90s --retries=3 \
    CMD ["dagster", "api", "grpc-health-check", "-p", "4000"]
