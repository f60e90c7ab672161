CREATE TABLE [_dltsync_staging].[0123_in] (
  [day] date NOT NULL,
  [note] nvarchar(max) NULL
) ON [fast ]]1] TEXTIMAGE_ON [fast ]]1];
