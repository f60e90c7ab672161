SET LOCK_TIMEOUT 60000;

CREATE TABLE dltsync_committed_units (
    unit_key VARCHAR(64) NOT NULL,
    pipeline VARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
    schema_name NVARCHAR(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
    table_name NVARCHAR(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
    unit NVARCHAR(max) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    generation BIGINT NOT NULL,
    is_live BIT NOT NULL,
    load_id VARCHAR(64) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    probe_method VARCHAR(32) NOT NULL,
    probe_rows BIGINT NOT NULL,
    probe_signature NVARCHAR(max) NOT NULL,
    probe_watermark NVARCHAR(max) NULL,
    watermark NVARCHAR(max) NULL,
    rows BIGINT NOT NULL,
    warehouse_rows BIGINT NOT NULL,
    definition_digest VARCHAR(64) NOT NULL,
    source NVARCHAR(400) NOT NULL,
    lake VARCHAR(64) NOT NULL,
    committed_at VARCHAR(32) NOT NULL,
    PRIMARY KEY (unit_key)
);

CREATE INDEX dltsync_committed_units_table ON dltsync_committed_units (pipeline, schema_name, table_name);

CREATE TABLE dltsync_fences (
    table_key VARCHAR(64) NOT NULL,
    fence BIGINT NOT NULL,
    PRIMARY KEY (table_key)
);

CREATE TABLE dltsync_leases (
    unit_key VARCHAR(64) NOT NULL,
    pipeline VARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
    schema_name NVARCHAR(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
    table_name NVARCHAR(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
    unit NVARCHAR(max) NOT NULL,
    holder NVARCHAR(400) NOT NULL,
    fence BIGINT NOT NULL,
    acquired_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (unit_key)
);

CREATE TABLE dltsync_loads (
    id BIGINT NOT NULL IDENTITY,
    pipeline VARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
    schema_name NVARCHAR(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
    table_name NVARCHAR(128) COLLATE Latin1_General_100_BIN2 NOT NULL,
    kind VARCHAR(16) NOT NULL,
    unit NVARCHAR(max) NOT NULL,
    unit_key VARCHAR(64) NOT NULL,
    load_id VARCHAR(64) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    status VARCHAR(16) NOT NULL,
    at VARCHAR(32) NOT NULL,
    rows BIGINT NULL,
    detail NVARCHAR(max) NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX dltsync_loads_load ON dltsync_loads (load_id);

CREATE INDEX dltsync_loads_unit ON dltsync_loads (unit_key);

CREATE TABLE dltsync_schema_version (
    version INTEGER NOT NULL,
    applied_at VARCHAR(32) NOT NULL,
    PRIMARY KEY (version)
);

SELECT DATEDIFF_BIG(millisecond, '19700101', SYSUTCDATETIME());

INSERT INTO dltsync_schema_version (version, applied_at) VALUES (?, ?);

UPDATE dltsync_fences SET fence=dltsync_fences.fence WHERE dltsync_fences.table_key = ?;

INSERT INTO dltsync_fences (table_key, fence) VALUES (?, ?);

SELECT dltsync_fences.fence
FROM dltsync_fences
WHERE dltsync_fences.table_key = ?;

SELECT dltsync_leases.unit_key, dltsync_leases.pipeline, dltsync_leases.schema_name, dltsync_leases.table_name, dltsync_leases.unit, dltsync_leases.holder, dltsync_leases.fence, dltsync_leases.acquired_at, dltsync_leases.expires_at
FROM dltsync_leases
WHERE dltsync_leases.unit_key IN (?, ?);

UPDATE dltsync_fences SET fence=? WHERE dltsync_fences.table_key = ?;

INSERT INTO dltsync_leases (unit_key, pipeline, schema_name, table_name, unit, holder, fence, acquired_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

UPDATE dltsync_leases SET expires_at=? WHERE dltsync_leases.unit_key IN (?, ?) AND dltsync_leases.holder = ? AND dltsync_leases.fence = ?;

INSERT INTO dltsync_loads (pipeline, schema_name, table_name, kind, unit, unit_key, load_id, run_id, status, at, rows, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

SELECT dltsync_committed_units.unit_key, dltsync_committed_units.pipeline, dltsync_committed_units.schema_name, dltsync_committed_units.table_name, dltsync_committed_units.unit, dltsync_committed_units.kind, dltsync_committed_units.generation, dltsync_committed_units.is_live, dltsync_committed_units.load_id, dltsync_committed_units.run_id, dltsync_committed_units.probe_method, dltsync_committed_units.probe_rows, dltsync_committed_units.probe_signature, dltsync_committed_units.probe_watermark, dltsync_committed_units.watermark, dltsync_committed_units.rows, dltsync_committed_units.warehouse_rows, dltsync_committed_units.definition_digest, dltsync_committed_units.source, dltsync_committed_units.lake, dltsync_committed_units.committed_at
FROM dltsync_committed_units
WHERE dltsync_committed_units.pipeline = ? AND dltsync_committed_units.table_name IN (?);

SELECT count(*) AS count_1
FROM dltsync_leases
WHERE dltsync_leases.unit_key IN (?, ?) AND dltsync_leases.holder = ? AND dltsync_leases.fence = ?;

INSERT INTO dltsync_committed_units (unit_key, pipeline, schema_name, table_name, unit, kind, generation, is_live, load_id, run_id, probe_method, probe_rows, probe_signature, probe_watermark, watermark, rows, warehouse_rows, definition_digest, source, lake, committed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

INSERT INTO dltsync_loads (pipeline, schema_name, table_name, kind, unit, unit_key, load_id, run_id, status, at, rows, detail) OUTPUT inserted.id VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

UPDATE dltsync_committed_units SET generation=?, is_live=? WHERE dltsync_committed_units.unit_key = ? AND dltsync_committed_units.generation = ?;

UPDATE dltsync_leases SET holder=?, expires_at=? WHERE dltsync_leases.unit_key IN (?, ?) AND dltsync_leases.holder = ? AND dltsync_leases.fence = ?;

SELECT dltsync_leases.unit_key, dltsync_leases.pipeline, dltsync_leases.schema_name, dltsync_leases.table_name, dltsync_leases.unit, dltsync_leases.holder, dltsync_leases.fence, dltsync_leases.acquired_at, dltsync_leases.expires_at
FROM dltsync_leases
WHERE dltsync_leases.unit_key IN (?);

UPDATE dltsync_leases SET holder=?, fence=?, acquired_at=?, expires_at=? WHERE dltsync_leases.unit_key = ?;

UPDATE dltsync_leases SET expires_at=? WHERE dltsync_leases.unit_key IN (?) AND dltsync_leases.holder = ? AND dltsync_leases.fence = ?;

SELECT count(*) AS count_1
FROM dltsync_leases
WHERE dltsync_leases.unit_key IN (?) AND dltsync_leases.holder = ? AND dltsync_leases.fence = ?;

UPDATE dltsync_committed_units SET kind=?, generation=?, is_live=?, load_id=?, run_id=?, probe_method=?, probe_rows=?, probe_signature=?, probe_watermark=?, watermark=?, rows=?, warehouse_rows=?, definition_digest=?, source=?, lake=?, committed_at=? WHERE dltsync_committed_units.unit_key = ? AND dltsync_committed_units.generation = ?;

UPDATE dltsync_leases SET holder=?, expires_at=? WHERE dltsync_leases.unit_key IN (?) AND dltsync_leases.holder = ? AND dltsync_leases.fence = ?;

SELECT DISTINCT dltsync_committed_units.schema_name, dltsync_committed_units.table_name
FROM dltsync_committed_units
WHERE dltsync_committed_units.pipeline = ?;

SELECT dltsync_loads.id, dltsync_loads.pipeline, dltsync_loads.schema_name, dltsync_loads.table_name, dltsync_loads.kind, dltsync_loads.unit, dltsync_loads.unit_key, dltsync_loads.load_id, dltsync_loads.run_id, dltsync_loads.status, dltsync_loads.at, dltsync_loads.rows, dltsync_loads.detail
FROM dltsync_loads
WHERE dltsync_loads.id IN (SELECT max(dltsync_loads.id) AS max_1
FROM dltsync_loads
WHERE dltsync_loads.pipeline = ? AND dltsync_loads.schema_name = ? AND dltsync_loads.table_name = ? GROUP BY dltsync_loads.unit_key);

SELECT dltsync_loads.id, dltsync_loads.pipeline, dltsync_loads.schema_name, dltsync_loads.table_name, dltsync_loads.kind, dltsync_loads.unit, dltsync_loads.unit_key, dltsync_loads.load_id, dltsync_loads.run_id, dltsync_loads.status, dltsync_loads.at, dltsync_loads.rows, dltsync_loads.detail
FROM dltsync_loads
WHERE dltsync_loads.pipeline = ? AND dltsync_loads.load_id = ? ORDER BY dltsync_loads.id;

DELETE FROM dltsync_loads WHERE dltsync_loads.pipeline = ? AND dltsync_loads.at < ? AND (dltsync_loads.load_id NOT IN (SELECT dltsync_committed_units.load_id
FROM dltsync_committed_units
WHERE dltsync_committed_units.pipeline = ?));

