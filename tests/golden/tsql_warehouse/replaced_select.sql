SELECT [id], [pipeline], [target_schema], [target_table], [unit], [load_id], [run_token], [staging_schema], [staging_table], [partition_range], [written_at] FROM [_dltsync].[replaced_rows]
