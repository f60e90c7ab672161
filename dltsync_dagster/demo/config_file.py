"""The demo's config, as `dltsync.yaml` at the root of the repository has it (a test keeps them equal)."""

from __future__ import annotations

DIRECTORY = ".dltsync-demo"
"""Where the demo keeps everything. Not `.dltsync`, where dltsync keeps the state of a config that names no directories."""

CONFIG = """\
# The demo's config: every flight that left New York in 2013. `make demo` fills the server it names (a loopback stand-in).
# Copy it, name your own server and tables, leave out `state` and `destination` (the demo's own directory, which it empties),
# and see what would happen with `dltsync plan`.
database:
  server: 127.0.0.1
  port: ${DLT_SYNC_PORT:-14330}
  database: nycflights
  username: ${DLT_SYNC_USERNAME:-sa}
  password: ${DLT_SYNC_PASSWORD:-Loopback-only-1}  # the sandbox's; a real one belongs in the environment only
  trust_server_certificate: true  # the sandbox signs its own; leave this out for a server you mean

partition_tables:  # on a partition function; loaded, validated and shown in Dagster partition by partition
  - table_name: flights
    description: One row per departure; a partition is a month of scheduled departure hours.
  - table_name: weather
    description: Hourly weather at the three airports; a partition ends with the last day of a month.

scd_tables:  # versions; read by increments of last_modified_column
  - table_name: aircraft_operator
    description: Which carrier operated an aircraft, version by version.
    business_key_columns: [TailNumber]  # found from the unique keys when left out
    last_modified_column: LastModified

static_tables:  # reference data; read only when a hash computed by the server changes
  - table_name: airports
    description: Airports of the United States.
    quality: [{column: faa, unique: true}]
  - table_name: airlines
    description: Carriers and their codes.
    force_reload_after: 7d

state:
  state_directory: .dltsync-demo/state
  parquet_directory: .dltsync-demo/lake
destination:
  path: .dltsync-demo/dltsync.duckdb
"""

CONFIG_INSIDE = CONFIG.replace(f"{DIRECTORY}/", "")
"""The same for a file in the demo's directory: paths in a config are relative to its file."""

WAREHOUSE_DATABASE = "nycflights_warehouse"
"""The database of the stand-in that `--warehouse sqlserver` loads."""

_DUCKDB = "  path: dltsync.duckdb\n"
_SQLSERVER = f"""\
  type: sqlserver
  connection:
    server: 127.0.0.1
    port: ${{DLT_SYNC_PORT:-14330}}
    database: {WAREHOUSE_DATABASE}
    username: ${{DLT_SYNC_USERNAME:-sa}}
    password: ${{DLT_SYNC_PASSWORD:-Loopback-only-1}}
    trust_server_certificate: true
"""
CONFIGS_INSIDE = {"duckdb": CONFIG_INSIDE, "sqlserver": CONFIG_INSIDE.replace(_DUCKDB, _SQLSERVER)}
"""The demo's config by warehouse."""
