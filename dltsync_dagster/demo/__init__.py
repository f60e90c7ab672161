"""The whole product on real data: every flight that left New York in 2013, through Dagster, into Parquet and DuckDB."""
