IF OBJECT_ID(N'[_dltsync].[replaced_rows]', N'U') IS NULL
CREATE TABLE [_dltsync].[replaced_rows] (
  [id] char(64) COLLATE Latin1_General_100_BIN2 NOT NULL PRIMARY KEY,
  [pipeline] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [target_schema] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [target_table] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [unit] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL,
  [load_id] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [run_token] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [staging_schema] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [staging_table] nvarchar(128) COLLATE Latin1_General_100_BIN2 NULL,
  [partition_range] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL,
  [written_at] nvarchar(50) COLLATE Latin1_General_100_BIN2 NULL
);
IF OBJECT_ID(N'[_dltsync].[replaced_markers]', N'U') IS NULL
CREATE TABLE [_dltsync].[replaced_markers] (
  [replaced_by] char(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
  [id] char(64) COLLATE Latin1_General_100_BIN2 NOT NULL,
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
  [probe_rows] bigint NULL,
  PRIMARY KEY ([replaced_by], [id])
);
