CREATE TABLE [_dltsync_staging].[0123_in] (
  [k0] int NULL,
  [k1] nvarchar(50) COLLATE Latin1_General_CI_AS NULL,
  [k2] nvarchar(max) COLLATE Latin1_General_CI_AS NULL,
  [valid_from] datetime2(7) NULL,
  [old_end] datetimeoffset(7) NULL,
  [new_end] datetimeoffset(7) NULL,
  [old_latest] bit NOT NULL,
  [new_latest] bit NOT NULL
);
