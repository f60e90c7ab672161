"""Reports on the tables of the shop, with Polars. The annotation of an input says how the table is read."""

import dagster as dg
import polars as pl

MONTHS = dg.TimeWindowPartitionsDefinition(
    start="2024-01-01", end="2024-04-01", fmt="%Y-%m-%d", cron_schedule="0 0 1 * *", end_offset=1
)


@dg.asset(partitions_def=MONTHS, group_name="reports", ins={"orders": dg.AssetIn(["shop", "orders"])})
def revenue_of_month(orders: pl.DataFrame) -> dg.MaterializeResult:
    """Orders and revenue of one month: exactly the rows of that partition."""
    revenue = orders["Amount"].sum()
    return dg.MaterializeResult(metadata={"orders": orders.height, "revenue": str(revenue)})


@dg.asset(
    group_name="reports",
    ins={
        "orders": dg.AssetIn(["shop", "orders"], metadata={"columns": ["CustomerNo", "Amount"]}),
        "customers": dg.AssetIn(["shop", "customers"]),
        "countries": dg.AssetIn(["shop", "countries"]),
    },
)
def revenue_by_country(orders: pl.DataFrame, customers: pl.DataFrame, countries: pl.DataFrame) -> dg.MaterializeResult:
    """Revenue of all months by the country a customer lives in now."""
    now = customers.filter(pl.col("IsLatest")).select("CustomerNo", "Country")
    report = (
        orders.join(now, on="CustomerNo")
        .join(countries, left_on="Country", right_on="Code")
        .group_by("Name")
        .agg(pl.col("Amount").sum())
        .sort("Name")
    )
    return dg.MaterializeResult(metadata={"revenue": {row["Name"]: str(row["Amount"]) for row in report.to_dicts()}})
