# The code location, webserver and daemon in one image; docker-compose.yml starts it three times with different commands.
FROM python:3.12-slim-bookworm

# pyodbc needs unixODBC; Microsoft's driver (inside the mssql-python-odbc wheel) needs libltdl and Kerberos.
RUN apt-get update \
    && apt-get install -y --no-install-recommends unixodbc libltdl7 libgssapi-krb5-2 \
    && rm -rf /var/lib/apt/lists/*

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    RUNTIME__DLTHUB_TELEMETRY=false \
    DAGSTER_DISABLE_TELEMETRY=yes \
    DAGSTER_HOME=/var/lib/dltsync/dagster \
    DLT_SYNC_CONFIG=/etc/dltsync/dltsync.yaml

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY dltsync_core dltsync_core
COPY dltsync_dagster dltsync_dagster
COPY sqlserver_sandbox sqlserver_sandbox
COPY workspace.yaml ./
RUN pip install --constraint constraints.txt '.[dagster]'

RUN useradd --create-home --uid 10001 dltsync \
    && install -d -o dltsync -g dltsync -m 0750 /var/lib/dltsync /var/lib/dltsync/dagster
USER dltsync
EXPOSE 3000
CMD ["dagster-webserver", "-h", "0.0.0.0", "-p", "3000", "-w", "workspace.yaml"]
