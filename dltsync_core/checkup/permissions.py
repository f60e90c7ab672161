"""What a login may do in a database of SQL Server, as a value; and what it lacks, as requirements with the statements that grant
it.

Pure but for `read_access`. The rights are those of docs/permissions.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dltsync_core.checkup.requirement import Requirement, not_granted, ok, warning
from dltsync_core.connect.control import ControlSession
from dltsync_core.identity import TableName, dotted
from dltsync_core.tsql.permissions import (
    QUESTIONS_PER_STATEMENT,
    OnDatabase,
    OnSchema,
    OnServer,
    OnTable,
    Question,
    ask_permissions,
    ask_user,
    create_schema,
    grant,
)

TABLE_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "ALTER")
"""What a warehouse's table is loaded with: ALTER is for TRUNCATE, SWITCH and bulk copy."""


@dataclass(frozen=True)
class Access:
    """`held` has an answer for each question: None when the securable is not there, or not seen."""

    login: str
    user: str
    held: Mapping[Question, bool | None]

    def may(self, question: Question) -> bool:
        """Whether the login has the permission. What was not asked, it has not."""
        return self.held.get(question) is True

    def lacks(self, question: Question) -> bool:
        """Whether the server says that it has not: it says nothing of what it does not see."""
        return self.held.get(question) is False


def read_access(session: ControlSession, questions: Iterable[Question]) -> Access:
    """The server's answers, many to a statement. Raises QueryError."""
    (row,) = session.query(ask_user().text, (), "asking for the login's name")
    asked = list(dict.fromkeys(questions))
    held: dict[Question, bool | None] = {}
    for start in range(0, len(asked), QUESTIONS_PER_STATEMENT):
        some = asked[start : start + QUESTIONS_PER_STATEMENT]
        for answer in session.query(ask_permissions(some).text, (), "asking for the login's permissions"):
            held[some[answer["number"]]] = None if answer["held"] is None else bool(answer["held"])
    return Access(str(row["login_name"]), str(row["user_name"]), held)


# ---- the source --------------------------------------------------------------------------------------------------
_DEFINITIONS = Question(OnDatabase(), "VIEW DEFINITION")
_SECURITY_DEFINITIONS = Question(OnDatabase(), "VIEW SECURITY DEFINITION")
_SERVER_STATE = Question(OnServer(), "VIEW SERVER STATE")


def source_questions(tables: Sequence[TableName]) -> list[Question]:
    """What to ask about the login that reads these tables."""
    of_tables = [Question(OnTable(name), "SELECT") for name in tables]
    of_schemas = [Question(OnSchema(name.schema), "SELECT") for name in tables]
    return [_DEFINITIONS, _SECURITY_DEFINITIONS, _SERVER_STATE, *of_tables, *of_schemas]


def source_requirements(
    access: Access,
    tables: Sequence[TableName],
    *,
    hidden: Sequence[TableName] = (),
    with_rowversion: Sequence[TableName] = (),
) -> list[Requirement]:
    """`tables` by the catalogue's names; of them the login does not see `hidden`, and `with_rowversion` have a rowversion
    watermark."""
    found: list[Requirement] = []
    if access.lacks(_DEFINITIONS) and not access.may(_SECURITY_DEFINITIONS):
        found.append(
            not_granted(
                "source",
                "VIEW DEFINITION on the database: without it a security policy may hide rows unseen",
                grant(["VIEW DEFINITION"], OnDatabase(), access.user),
                "or set accept_row_filter: true for tables whose rows may be filtered",
            )
        )
    refused: dict[str, list[TableName]] = {}
    for name in tables:
        if name in hidden or access.lacks(Question(OnTable(name), "SELECT")):
            refused.setdefault(name.schema, []).append(name)
    for schema, names in refused.items():
        whole_schema = not access.may(Question(OnSchema(schema), "SELECT"))
        on = OnSchema(schema) if whole_schema else OnTable(names[0])  # a DENY on the table alone
        found.append(
            not_granted(
                "source",
                f"SELECT on {_some(names)}",
                grant(["SELECT"], on, access.user),
                "" if whole_schema else _DENIED,
            )
        )
    if not found:
        found.append(
            ok("source", f"may read {len(tables):,} {'table' if len(tables) == 1 else 'tables'} as {access.user}")
        )
    if with_rowversion and not access.may(_SERVER_STATE):
        found.append(
            warning(
                "source",
                f"VIEW SERVER STATE: when an open transaction holds back rows of {_some(with_rowversion)}, the reason does not "
                "name it",
                "in master, and only if it should be named",
                grant(["VIEW SERVER STATE"], OnServer(), access.login),
            )
        )
    return found


_DENIED = "the schema's permission is there, so it was denied on the table: REVOKE that first"


def _some(names: Sequence[TableName]) -> str:
    texts = [str(name) for name in names]
    return ", ".join(texts[:3]) + (f" and {len(texts) - 3:,} more" if len(texts) > 3 else "")


# ---- a warehouse in SQL Server -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class WarehouseNeeds:
    """What a config needs of the warehouse's database. `existing` are the targets that are there, by the catalogue's names, and
    `absent` the others; `absent_partitioned` of them need a partition function and a scheme that are to be made. `references` are
    the tables that foreign keys of the targets reference, with the target: staging gets copies of these keys. `trimmed` have a
    retention, and boundaries of a partition function of their own are merged."""

    existing: tuple[TableName, ...]
    absent: tuple[TableName, ...]
    absent_partitioned: tuple[TableName, ...]
    own_schemas: tuple[str, ...]
    schemas_there: frozenset[str]
    allow_referenced: bool
    references: tuple[tuple[TableName, TableName], ...] = ()
    trimmed: tuple[TableName, ...] = ()

    @property
    def schemas(self) -> list[str]:
        """Every schema that tables are made in."""
        return list(dict.fromkeys([*(name.schema for name in self.absent), *self.own_schemas]))

    def has_schema(self, schema: str) -> bool:
        return schema.casefold() in self.schemas_there


_CREATE_TABLE = Question(OnDatabase(), "CREATE TABLE")
_CREATE_SCHEMA = Question(OnDatabase(), "CREATE SCHEMA")
_DATA_SPACES = Question(OnDatabase(), "ALTER ANY DATASPACE")


def warehouse_questions(needs: WarehouseNeeds) -> list[Question]:
    """What to ask about the login that loads."""
    of_tables = [Question(OnTable(name), right) for name in needs.existing for right in TABLE_RIGHTS]
    of_schemas = [Question(OnSchema(schema), right) for schema in needs.schemas for right in TABLE_RIGHTS]
    referenced = [Question(OnTable(name), "REFERENCES") for name, _ in needs.references]
    return [_CREATE_TABLE, _CREATE_SCHEMA, _DATA_SPACES, _DEFINITIONS, *of_tables, *of_schemas, *referenced]


def warehouse_requirements(access: Access, needs: WarehouseNeeds) -> list[Requirement]:
    """What the login lacks, each with its statement; one line when it lacks nothing."""
    found = [
        *_database_rights(access, needs),
        *_schema_rights(access, needs),
        *_rights_on_tables(access, needs),
        *_rights_on_referenced_tables(access, needs),
    ]
    return found or [ok("warehouse", f"may make, load and switch the tables as {access.user}")]


def _database_rights(access: Access, needs: WarehouseNeeds) -> Iterable[Requirement]:
    if not access.may(_CREATE_TABLE):
        yield not_granted(
            "warehouse",
            "CREATE TABLE on the database: staging and marker tables cannot be made",
            grant(["CREATE TABLE"], OnDatabase(), access.user),
        )
    if access.lacks(_DEFINITIONS) and not needs.allow_referenced:
        yield not_granted(
            "warehouse",
            "VIEW DEFINITION on the database: foreign keys of other tables on a target are not seen",
            grant(["VIEW DEFINITION"], OnDatabase(), access.user),
        )
    if needs.absent_partitioned and not access.may(_DATA_SPACES):
        yield not_granted(
            "warehouse",
            f"ALTER ANY DATASPACE on the database: {_some(needs.absent_partitioned)} needs a partition function and a scheme",
            grant(["ALTER ANY DATASPACE"], OnDatabase(), access.user),
            "or name existing ones in destination.partitions",
        )
    elif needs.trimmed and not access.may(_DATA_SPACES):
        yield warning(
            "warehouse",
            "ALTER ANY DATASPACE on the database: partitions out of retention leave "
            f"{_some(needs.trimmed)}, and the boundaries between them stay",
            statement=grant(["ALTER ANY DATASPACE"], OnDatabase(), access.user),
        )


def _schema_rights(access: Access, needs: WarehouseNeeds) -> Iterable[Requirement]:
    for schema in needs.schemas:
        if not needs.has_schema(schema):
            if not access.may(_CREATE_SCHEMA):
                yield not_granted("warehouse", f"the schema {dotted(schema)}", create_schema(schema, access.user))
            continue
        lacking = [right for right in TABLE_RIGHTS if not access.may(Question(OnSchema(schema), right))]
        if lacking:
            yield not_granted(
                "warehouse",
                f"{', '.join(lacking)} on the schema {dotted(schema)}",
                grant(lacking, OnSchema(schema), access.user),
                "or make the login's user the schema's owner",
            )


def _rights_on_tables(access: Access, needs: WarehouseNeeds) -> Iterable[Requirement]:
    for name in needs.existing:
        lacking = [right for right in TABLE_RIGHTS if not access.may(Question(OnTable(name), right))]
        if lacking:
            yield not_granted(
                "warehouse", f"{', '.join(lacking)} on {name}", grant(lacking, OnTable(name), access.user)
            )


def _rights_on_referenced_tables(access: Access, needs: WarehouseNeeds) -> Iterable[Requirement]:
    """A table that the login does not see at all is none of its keys' for the catalogue either: VIEW DEFINITION is asked for
    then."""
    of_targets: dict[TableName, list[TableName]] = {}
    for referenced, target in needs.references:
        if access.lacks(Question(OnTable(referenced), "REFERENCES")):
            of_targets.setdefault(referenced, []).append(target)
    for referenced, targets in of_targets.items():
        yield not_granted(
            "warehouse",
            f"REFERENCES on {referenced}: staging tables get copies of the foreign keys of {_some(targets)}",
            grant(["REFERENCES"], OnTable(referenced), access.user),
            "or set processing.enable_sql_server_partition_switching: false, so that rows are not switched",
        )
