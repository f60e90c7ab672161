"""CREATE, ALTER and DROP DATABASE, USE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from sqlserver_sandbox.engine.definitions.catalogue import change_catalogue, changing_database, save
from sqlserver_sandbox.engine.execution.commands import DDL
from sqlserver_sandbox.engine.execution.execution import Execution
from sqlserver_sandbox.engine.store.store import MASTER
from sqlserver_sandbox.model import DEFAULT_COLLATION, DatabaseChange, Info, Outcome, RowsAffected, SqlError
from sqlserver_sandbox.tsql import syntax as s
from sqlserver_sandbox.tsql.catalogue import PRIMARY_FILEGROUP, Database, Filegroup
from sqlserver_sandbox.tsql.collations import same
from sqlserver_sandbox.tsql.refusal import refused


def _outside_transaction(execution: Execution, what: str) -> None:
    if execution.transaction.count:
        raise SqlError(226, f"{what} statement not allowed within multi-statement transaction.")


def create_database(execution: Execution, node: s.CreateDatabase) -> Iterator[Outcome]:
    _outside_transaction(execution, "CREATE DATABASE")
    if node.collation is not None and not same(node.collation, DEFAULT_COLLATION):
        raise refused(f"a database collation other than {DEFAULT_COLLATION}; give columns a COLLATE", line=node.line)
    execution.access.check_sysadmin(262, "CREATE DATABASE permission denied in database 'master'.", node.line)
    execution.store.create_database(node.name)
    yield RowsAffected(None, DDL)


def drop_database(execution: Execution, node: s.DropDatabase) -> Iterator[Outcome]:
    _outside_transaction(execution, "DROP DATABASE")
    session = execution.session
    found = session.store.find(node.name)
    if found is None or not execution.access.is_sysadmin:
        if found is None and node.if_exists:
            yield RowsAffected(None, DDL)
            return
        raise SqlError(
            3701,
            f"Cannot drop the database '{node.name}', because it does not exist or you do not have permission.",
            class_=11,
            line=node.line,
        )
    if node.name.lower() == MASTER:
        raise SqlError(3708, "Cannot drop the database 'master' because it is a system database.", line=node.line)
    if session.is_in_use(found):
        raise SqlError(
            3702, f'Cannot drop database "{node.name}" because it is currently in use.', state=4, line=node.line
        )
    session.store.drop_database(found)
    yield RowsAffected(None, DDL)


def alter_database(execution: Execution, node: s.AlterDatabaseSet) -> Iterator[Outcome]:
    """READ_COMMITTED_SNAPSHOT is ON in a new database here, as in Azure SQL; no session has to leave for it to change."""
    found = _altered(execution, node.name, node.line)
    if node.option == "READ_COMMITTED_SNAPSHOT":
        yield from _change(execution, found, lambda d: replace(d, read_committed_snapshot=node.on))
    else:
        yield from _change(execution, found, lambda d: replace(d, snapshot_isolation=node.on))


def alter_filegroup(execution: Execution, node: s.AlterDatabaseFilegroup) -> Iterator[Outcome]:
    """Filegroups are names: all rows are in the one file that a database has."""
    found = _altered(execution, node.name, node.line)
    yield from _change(execution, found, lambda d: _with_filegroup(d, node))


def _with_filegroup(database: Database, node: s.AlterDatabaseFilegroup) -> Database:
    group = database.filegroup(node.filegroup)
    if node.action == "add":
        if group is not None:
            raise SqlError(
                5035,
                f"Filegroup '{node.filegroup}' already exists in this database. Specify a different name or remove the"
                " conflicting"
                " filegroup if it is empty.",
                line=node.line,
            )
        number = max(f.data_space_id for f in database.all_filegroups) + 1
        return replace(database, filegroups=(*database.filegroups, Filegroup(number, node.filegroup)))
    if group is None:
        raise SqlError(
            5041 if node.action == "file" else 5014,
            f"The filegroup '{node.filegroup}' does not exist in database '{database.name}'.",
            line=node.line,
        )
    if node.action == "file":
        return database
    if group.data_space_id == PRIMARY_FILEGROUP:
        raise SqlError(5047, "Cannot change the READONLY property of the PRIMARY filegroup.", line=node.line)
    changed = replace(group, is_read_only=node.action == "read_only")
    return replace(
        database,
        filegroups=tuple(changed if f.data_space_id == group.data_space_id else f for f in database.filegroups),
    )


def _altered(execution: Execution, name: str | None, line: int) -> int:
    """The database to alter. Raises 226, 5011."""
    _outside_transaction(execution, "ALTER DATABASE")
    found = execution.store.find(name) if name is not None else execution.session.database_id
    if found is None or not execution.access.is_sysadmin:
        raise SqlError(
            5011,
            f"User does not have permission to alter database '{name}', the"
            " database does not exist, or the database is not in a state"
            " that allows access checks.",
            class_=14,
            line=line,
        )
    return found


def _change(execution: Execution, database_id: int, changed: Callable[[Database], Database]) -> Iterator[Outcome]:
    """Save a database's changed catalogue, whatever database the session is in."""
    with changing_database(execution, database_id):
        save(execution, changed(change_catalogue(execution)))
        yield from execution.transaction.end_statement()
    yield RowsAffected(None, DDL)


def use(execution: Execution, node: s.Use) -> Iterator[Outcome]:
    session = execution.session
    found = session.store.find(node.database)
    if found is None:
        raise SqlError(
            911,
            f"Database '{node.database}' does not exist. Make sure that the name is entered correctly.",
            line=node.line,
        )
    execution.access.check_entry(execution.catalogue.by_id(found), node.line)
    old = session.database
    session.database_id = found
    yield DatabaseChange(session.database, old)
    yield Info(5701, f"Changed database context to '{session.database}'.", 0, 2)
