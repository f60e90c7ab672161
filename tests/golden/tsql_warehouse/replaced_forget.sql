SET NOCOUNT ON;
SET XACT_ABORT ON;
BEGIN TRANSACTION;
DELETE FROM [_dltsync].[replaced_markers] WHERE [replaced_by] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' AND EXISTS (SELECT 1 FROM [_dltsync].[replaced_rows] WHERE [id] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' AND load_id = N'load''s');
DELETE FROM [_dltsync].[replaced_rows] WHERE [id] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' AND load_id = N'load''s';
COMMIT TRANSACTION;
SELECT COUNT(*) AS is_there FROM [_dltsync].[markers] WHERE [id] = N'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' AND load_id = N'load''s';
