"""System views about the server and its databases."""

from __future__ import annotations

from sqlserver_sandbox.engine.sysviews.declaration import Source, View, no_rows, stored_time
from sqlserver_sandbox.tsql.catalogue import PRIMARY_FILEGROUP
from sqlserver_sandbox.tsql.types import SYSTEM_TYPE_ID, catalogue_name


def _databases(source: Source) -> list[tuple[object, ...]]:
    return [
        (
            d.name,
            d.database_id,
            None,
            None,
            stored_time(d.created),
            160,
            d.collation,
            0,
            "MULTI_USER",
            False,
            False,
            False,
            0,
            "ONLINE",
            False,
            False,
            False,
            1 if d.snapshot_isolation else 0,
            "ON" if d.snapshot_isolation else "OFF",
            d.read_committed_snapshot,
            3,
            "SIMPLE",
            2,
            "CHECKSUM",
            True,
            True,
            True,
            False,
            False,
            False,
            False,
            False,
            False,
            0,
            "NONE",
        )
        for d in source.databases()
    ]


def _schemas(source: Source) -> list[tuple[object, ...]]:
    fixed: list[tuple[object, ...]] = [("INFORMATION_SCHEMA", 3, 3), ("sys", 4, 4), ("guest", 2, 2)]
    return [(s.name, s.schema_id, 1) for s in source.database.schemas] + fixed


_SIZES = {
    "image": (16, 0, 0),
    "text": (16, 0, 0),
    "uniqueidentifier": (16, 0, 0),
    "date": (3, 10, 0),
    "time": (5, 16, 7),
    "datetime2": (8, 27, 7),
    "datetimeoffset": (10, 34, 7),
    "tinyint": (1, 3, 0),
    "smallint": (2, 5, 0),
    "int": (4, 10, 0),
    "smalldatetime": (4, 16, 0),
    "real": (4, 24, 0),
    "money": (8, 19, 4),
    "datetime": (8, 23, 3),
    "float": (8, 53, 0),
    "sql_variant": (8016, 0, 0),
    "ntext": (16, 0, 0),
    "bit": (1, 1, 0),
    "decimal": (17, 38, 38),
    "numeric": (17, 38, 38),
    "smallmoney": (4, 10, 4),
    "bigint": (8, 19, 0),
    "varbinary": (8000, 0, 0),
    "varchar": (8000, 0, 0),
    "binary": (8000, 0, 0),
    "char": (8000, 0, 0),
    "rowversion": (8, 0, 0),
    "nvarchar": (8000, 0, 0),
    "nchar": (8000, 0, 0),
    "xml": (-1, 0, 0),
}
SYSNAME_ID = 256


def _types(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name, number in SYSTEM_TYPE_ID.items():
        length, precision, scale = _SIZES[name]
        collation = (
            source.database.collation if name in ("char", "varchar", "nchar", "nvarchar", "text", "ntext") else None
        )
        nullable = name != "rowversion"
        rows.append(
            (
                catalogue_name(name),
                number,
                number,
                4,
                None,
                length,
                precision,
                scale,
                collation,
                nullable,
                False,
                False,
                0,
                0,
                False,
            )
        )
    rows.append(
        ("sysname", 231, SYSNAME_ID, 4, None, 256, 0, 0, source.database.collation, False, False, False, 0, 0, False)
    )
    return rows


def _data_spaces(source: Source) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [
        (f.name, f.data_space_id, "FG", "ROWS_FILEGROUP", f.data_space_id == PRIMARY_FILEGROUP, False)
        for f in source.database.all_filegroups
    ]
    return rows + [(s.name, s.data_space_id, "PS", "PARTITION_SCHEME", False, False) for s in source.database.schemes]


def _filegroups(source: Source) -> list[tuple[object, ...]]:
    return [
        (
            f.name,
            f.data_space_id,
            "FG",
            "ROWS_FILEGROUP",
            f.data_space_id == PRIMARY_FILEGROUP,
            False,
            None,
            None,
            f.is_read_only,
            False,
        )
        for f in source.database.all_filegroups
    ]


def _sessions(source: Source) -> list[tuple[object, ...]]:
    return [
        (s.session_id, s.login, s.host, s.program, "sleeping", s.database_id, s.isolation, s.open_transactions, True)
        for s in source.facts.sessions()
    ]


_CLASSES = {"DATABASE": (0, "DATABASE"), "OBJECT": (1, "OBJECT_OR_COLUMN"), "SCHEMA": (3, "SCHEMA")}


def _permissions(source: Source) -> list[tuple[object, ...]]:
    """Without the columns that number principals, which have no view here."""
    return [
        (*_CLASSES[p.class_], p.major_id, 0, p.name, *(("D", "DENY") if p.is_denied else ("G", "GRANT")))
        for p in source.database.permissions
        if p.class_ in _CLASSES
    ]


VIEWS = {
    "sys.databases": View(
        "name name, database_id int, source_database_id int?, owner_sid vb(85)?,"
        " create_date datetime, compatibility_level tinyint,"
        " collation_name name?, user_access tinyint?, user_access_desc n(60)?,"
        " is_read_only bit?, is_auto_close_on bit, is_auto_shrink_on bit?,"
        " state tinyint?, state_desc n(60)?, is_in_standby bit?, is_cleanly_shutdown bit?, is_supplemental_logging_enabled bit?,"
        " snapshot_isolation_state tinyint?, snapshot_isolation_state_desc n(60)?,"
        " is_read_committed_snapshot_on bit?, recovery_model tinyint?,"
        " recovery_model_desc n(60)?, page_verify_option tinyint?, page_verify_option_desc n(60)?, is_auto_create_stats_on bit?,"
        " is_auto_update_stats_on bit?, is_quoted_identifier_on bit?, is_encrypted bit?, is_cdc_enabled bit, is_published bit,"
        " is_subscribed bit, is_merge_published bit, is_distributor bit, containment tinyint?, containment_desc n(60)?",
        _databases,
    ),
    "sys.schemas": View("name name, schema_id int, principal_id int?", _schemas),
    "sys.types": View(
        "name name, system_type_id tinyint, user_type_id int, schema_id int,"
        " principal_id int?, max_length smallint, precision tinyint,"
        " scale tinyint, collation_name name?, is_nullable bit?, is_user_defined bit,"
        " is_assembly_type bit, default_object_id int,"
        " rule_object_id int, is_table_type bit",
        _types,
    ),
    "sys.data_spaces": View(
        "name name, data_space_id int, type c(2), type_desc n(60)?, is_default bit?, is_system bit?", _data_spaces
    ),
    "sys.filegroups": View(
        "name name, data_space_id int, type c(2), type_desc n(60)?, is_default bit?,"
        " is_system bit?, filegroup_guid uniqueidentifier?,"
        " log_filegroup_id int?, is_read_only bit?, is_autogrow_all_files bit?",
        _filegroups,
    ),
    "sys.dm_exec_sessions": View(
        "session_id smallint, login_name n(128), host_name n(128)?, program_name n(128)?, status n(30), database_id smallint,"
        " transaction_isolation_level smallint, open_transaction_count int, is_user_process bit",
        _sessions,
    ),
    "sys.database_permissions": View(
        "class tinyint, class_desc n(60)?, major_id int, minor_id int, permission_name n(128)?, state c(1), state_desc n(60)?",
        _permissions,
    ),
    "sys.extended_properties": View(
        "class tinyint, class_desc n(60)?, major_id int, minor_id int, name name, value variant?", no_rows
    ),
}
