"""Facts about tables that rows are loaded into: what decides whether a partition can be switched, and how staging must be
built."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from dltsync_core.catalog.facts import TableFacts
from dltsync_core.catalog.queries import query_for
from dltsync_core.catalog.query_rows import Row
from dltsync_core.catalog.reader import IDS_PER_QUERY, Session, read_tables
from dltsync_core.identity import TableName

HEAP = "HEAP"
CLUSTERED = "CLUSTERED"
NONCLUSTERED = "NONCLUSTERED"
CLUSTERED_COLUMNSTORE = "CLUSTERED COLUMNSTORE"


@dataclass(frozen=True)
class IndexFacts:
    """An index, or the heap (`kind` HEAP, no columns). `keys` are names with whether they descend, `included` names; `added`
    is the partitioning column where the server added it to the index by itself. `function_id` and `scheme` are None off a
    partition scheme, `filegroup` is None on one. `compression`: the compressed partitions, by number, with their kind."""

    name: str | None
    kind: str
    is_unique: bool = False
    is_primary_key: bool = False
    is_unique_constraint: bool = False
    is_disabled: bool = False
    has_filter: bool = False
    is_read_only: bool = False
    filegroup: str | None = None
    scheme: str | None = None
    function_id: int | None = None
    keys: tuple[tuple[str, bool], ...] = ()
    included: tuple[str, ...] = ()
    added: str | None = None
    compression: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class CheckFacts:
    """A CHECK constraint. `definition` is the server's own text of the condition, None for a login that may not see it."""

    name: str
    definition: str | None
    is_disabled: bool = False
    is_not_for_replication: bool = False


@dataclass(frozen=True)
class ForeignKeyFacts:
    """A foreign key of the table. `acts`: it deletes or updates rows when the referenced ones change (CASCADE, SET NULL)."""

    name: str
    columns: tuple[str, ...]
    referenced: TableName
    referenced_columns: tuple[str, ...]
    is_disabled: bool = False
    is_not_for_replication: bool = False
    acts: bool = False


@dataclass(frozen=True)
class DependentFacts:
    """An object that depends on a column, as `queries/target_dependents.sql` says. `used` is None for a login that may not
    see it."""

    kind: str
    name: str
    used: str | None


@dataclass(frozen=True)
class TargetFacts:
    """A table of the warehouse. `dependents` depend on its columns, beside indexes and CHECK constraints. `properties` are
    the columns of its row in sys.tables, as far as this version has them; `obstacles` are pairs of a rule
    (`queries/target_obstacles.sql`) and the name of what it is about. `shared_with` are other tables on the same partition
    function, and `schemes` all schemes on it, with the filegroup of their last partition. `read_only` are the partitions of
    the table, or of one of its indexes, in read-only filegroups: numbers with their names."""

    table: TableFacts
    properties: Mapping[str, Any] = field(default_factory=dict)
    indexes: tuple[IndexFacts, ...] = ()
    obstacles: tuple[tuple[str, str], ...] = ()
    shared_with: tuple[TableName, ...] = ()
    schemes: tuple[tuple[str, str], ...] = ()
    checks: tuple[CheckFacts, ...] = ()
    foreign_keys: tuple[ForeignKeyFacts, ...] = ()
    read_only: Mapping[int, str] = field(default_factory=dict)
    dependents: tuple[DependentFacts, ...] = ()

    @property
    def name(self) -> TableName:
        return self.table.name

    @property
    def storage(self) -> IndexFacts | None:
        """The heap or clustered index, which holds the rows."""
        return next((index for index in self.indexes if index.kind in {HEAP, CLUSTERED, CLUSTERED_COLUMNSTORE}), None)


def read_targets(session: Session, names: Sequence[TableName], database: str) -> dict[TableName, TargetFacts]:
    """Facts of every named table, by the name as given. All of them must exist. Raises what `reader.read_tables` raises."""
    tables = read_tables(session, names, database)
    ids = sorted({facts.object_id for facts in tables.values()})
    properties = {row["object_id"]: dict(row) for row in _ask(session, "target_tables", ids)}
    indexes = _indexes_by_table(
        _ask(session, "target_indexes", ids),
        _ask(session, "target_index_columns", ids),
        _ask(session, "target_compression", ids),
    )
    obstacles: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for row in _ask(session, "target_obstacles", ids):
        obstacles[row["object_id"]].append((row["rule_name"], row["object_name"]))
    for row in _ask(session, "target_views", ids):
        obstacles[row["object_id"]].append(("indexed_view", row["view_name"]))
    checks = _checks_by_table(_ask(session, "target_checks", ids))
    foreign_keys = _foreign_keys_by_table(_ask(session, "target_foreign_keys", ids))
    dependents: dict[int, list[DependentFacts]] = defaultdict(list)
    for row in _ask(session, "target_dependents", ids):
        dependents[row["object_id"]].append(DependentFacts(row["kind"], row["object_name"], row["used"]))
    read_only: dict[int, dict[int, str]] = defaultdict(dict)
    for row in _ask(session, "target_read_only", ids):
        read_only[row["object_id"]][row["partition_number"]] = row["filegroup_name"]
    functions = sorted({i.function_id for found in indexes.values() for i in found if i.function_id is not None})
    users = _users_by_function(_ask(session, "target_functions", functions))
    found = {}
    for name, table in tables.items():
        mine = indexes.get(table.object_id, ())
        storage = next((index for index in mine if index.kind in {HEAP, CLUSTERED, CLUSTERED_COLUMNSTORE}), None)
        schemes, others = users.get(storage.function_id or 0, ({}, [])) if storage is not None else ({}, [])
        found[name] = TargetFacts(
            table=table,
            properties=properties.get(table.object_id, {}),
            indexes=mine,
            obstacles=tuple(obstacles[table.object_id]),
            shared_with=tuple(dict.fromkeys(other for other in others if other != table.name)),
            schemes=tuple(schemes.items()),
            checks=tuple(checks[table.object_id]),
            foreign_keys=tuple(foreign_keys[table.object_id]),
            read_only=read_only[table.object_id],
            dependents=tuple(dependents[table.object_id]),
        )
    return found


def _ask(session: Session, name: str, ids: Sequence[int]) -> list[Row]:
    rows: list[Row] = []
    for start in range(0, len(ids), IDS_PER_QUERY):
        some = ids[start : start + IDS_PER_QUERY]
        rows += session.query(query_for(name, len(some)), some)
    return rows


def _checks_by_table(rows: Iterable[Row]) -> Mapping[int, list[CheckFacts]]:
    found: dict[int, list[CheckFacts]] = defaultdict(list)
    for row in rows:
        check = CheckFacts(
            row["name"], row["definition"], bool(row["is_disabled"]), bool(row["is_not_for_replication"])
        )
        found[row["object_id"]].append(check)
    return found


def _foreign_keys_by_table(rows: Iterable[Row]) -> Mapping[int, list[ForeignKeyFacts]]:
    found: dict[int, list[ForeignKeyFacts]] = defaultdict(list)
    for (table, _), columns in groupby(rows, key=lambda row: (row["object_id"], row["name"])):
        parts = list(columns)
        first = parts[0]
        actions = {first["delete_referential_action_desc"], first["update_referential_action_desc"]}
        found[table].append(
            ForeignKeyFacts(
                name=first["name"],
                columns=tuple(part["column_name"] for part in parts),
                referenced=TableName(first["referenced_schema"], first["referenced_table"]),
                referenced_columns=tuple(part["referenced_column"] for part in parts),
                is_disabled=bool(first["is_disabled"]),
                is_not_for_replication=bool(first["is_not_for_replication"]),
                acts=actions != {"NO_ACTION"},
            )
        )
    return found


def _indexes_by_table(
    rows: Iterable[Row], columns: Iterable[Row], compression: Iterable[Row]
) -> dict[int, tuple[IndexFacts, ...]]:
    keys: dict[tuple[int, int], list[tuple[str, bool]]] = defaultdict(list)
    included: dict[tuple[int, int], list[str]] = defaultdict(list)
    added: dict[tuple[int, int], str] = {}
    for row in columns:
        index = row["object_id"], row["index_id"]
        if row["key_ordinal"]:
            keys[index].append((row["column_name"], bool(row["is_descending_key"])))
        elif row["is_included_column"]:
            included[index].append(row["column_name"])
        elif row["partition_ordinal"]:
            added[index] = row["column_name"]
    compressed: dict[tuple[int, int], list[tuple[int, str]]] = defaultdict(list)
    for row in compression:
        compressed[row["object_id"], row["index_id"]].append((row["partition_number"], row["data_compression_desc"]))
    found: dict[int, list[IndexFacts]] = defaultdict(list)
    for row in rows:
        index = row["object_id"], row["index_id"]
        found[row["object_id"]].append(
            IndexFacts(
                name=row["name"],
                kind=row["type_desc"],
                is_unique=bool(row["is_unique"]),
                is_primary_key=bool(row["is_primary_key"]),
                is_unique_constraint=bool(row["is_unique_constraint"]),
                is_disabled=bool(row["is_disabled"]),
                has_filter=bool(row["has_filter"]),
                is_read_only=bool(row["is_read_only"]),
                filegroup=row["filegroup_name"],
                scheme=row["scheme_name"],
                function_id=row["function_id"],
                keys=tuple(keys[index]),
                included=tuple(included[index]),
                added=added.get(index),
                compression=tuple(compressed[index]),
            )
        )
    return {table: tuple(indexes) for table, indexes in found.items()}


def _users_by_function(rows: Iterable[Row]) -> dict[int, tuple[dict[str, str], list[TableName]]]:
    found: dict[int, tuple[dict[str, str], list[TableName]]] = {}
    for row in rows:
        schemes, tables = found.setdefault(row["function_id"], ({}, []))
        schemes[row["scheme_name"]] = row["filegroup_name"]
        if row["table_name"] is not None:
            tables.append(TableName(row["schema_name"], row["table_name"]))
    return found
