-- What answers: one row. It reads no view, so that a server which lacks the views of the other queries can still say what it is.
SELECT CONVERT(nvarchar(128), SERVERPROPERTY('ProductVersion')) AS product_version,
       CONVERT(int, SERVERPROPERTY('EngineEdition')) AS engine_edition;
