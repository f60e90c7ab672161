IF OBJECT_ID(N'[_dltsync].[markers]', N'U') IS NULL
CREATE TABLE [_dltsync].[markers] (
  [id] char(64) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
  [pipeline] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [target_schema] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [target_table] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [unit] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL,
  [schema_name] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [table_name] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [kind] nvarchar(20) COLLATE Latin1_General_100_BIN2 NULL,
  [load_id] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [run_id] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [probe_method] nvarchar(50) COLLATE Latin1_General_100_BIN2 NULL,
  [probe_signature] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL,
  [probe_watermark] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL,
  [watermark] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL,
  [definition_digest] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [source] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL,
  [lake] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [written_at] nvarchar(50) COLLATE Latin1_General_100_BIN2 NULL,
  [fence] bigint NULL,
  [rows] bigint NULL,
  [probe_rows] bigint NULL
);
