"""The table from syntax node to handler. A statement that is not in it is refused."""

from __future__ import annotations

from sqlserver_sandbox.engine.execution.execution import StatementKind, always
from sqlserver_sandbox.engine.statements import (
    bulk_insert,
    constraints,
    databases,
    delete,
    execute,
    flow,
    identity,
    indexes,
    insert,
    messages,
    options,
    partitions,
    schemas,
    select,
    switch,
    tables,
    transactions,
    truncate,
    update,
    variables,
)
from sqlserver_sandbox.tsql import syntax as s

STATEMENTS: dict[type, StatementKind] = {
    # queries and changes
    s.SelectStatement: StatementKind(select.run_select, "select", select.reads_tables),
    s.Insert: StatementKind(insert.run_insert, "insert", always),
    s.InsertBulk: StatementKind(bulk_insert.start_bulk, "insert", always),
    s.Update: StatementKind(update.run_update, "update", always),
    s.Delete: StatementKind(delete.run_delete, "delete", always),
    s.TruncateTable: StatementKind(truncate.run_truncate, "truncate", always),
    # definitions
    s.CreateTable: StatementKind(tables.create_table, "definition", always),
    s.DropTable: StatementKind(tables.drop_table, "definition", always),
    s.AlterTableAdd: StatementKind(tables.alter_add, "definition", always),
    s.AlterTableDrop: StatementKind(tables.alter_drop, "definition", always),
    s.AlterTableSwitch: StatementKind(switch.run_switch, "definition", always),
    s.AlterTableCheck: StatementKind(constraints.alter_check, "definition", always),
    s.AlterTableRebuild: StatementKind(indexes.rebuild_table, "definition", always),
    s.AlterIndex: StatementKind(indexes.alter_index, "definition", always),
    s.UpdateStatistics: StatementKind(indexes.update_statistics, "other"),
    s.CreateIndex: StatementKind(indexes.create_index, "definition", always),
    s.DropIndex: StatementKind(indexes.drop_index, "definition", always),
    s.CreatePartitionFunction: StatementKind(partitions.create_function, "definition", always),
    s.CreatePartitionScheme: StatementKind(partitions.create_scheme, "definition", always),
    s.AlterPartitionFunction: StatementKind(partitions.alter_function, "definition", always),
    s.AlterPartitionScheme: StatementKind(partitions.alter_scheme, "definition", always),
    s.DropPartition: StatementKind(partitions.drop, "definition", always),
    s.CreateSchema: StatementKind(schemas.create_schema, "definition", always),
    s.DropSchema: StatementKind(schemas.drop_schema, "definition", always),
    s.CreateDatabase: StatementKind(databases.create_database, "definition"),
    s.DropDatabase: StatementKind(databases.drop_database, "definition"),
    s.AlterDatabaseSet: StatementKind(databases.alter_database, "definition"),
    s.AlterDatabaseFilegroup: StatementKind(databases.alter_filegroup, "definition"),
    s.Use: StatementKind(databases.use, "other"),
    # the session
    s.SetOption: StatementKind(options.set_option, "set"),
    s.SetIsolation: StatementKind(options.set_isolation, "set"),
    s.Transaction: StatementKind(transactions.run_transaction, "begin"),
    s.CheckIdentity: StatementKind(identity.check_identity, "other", always),
    s.SetIdentityInsert: StatementKind(options.set_identity_insert, "set"),
    s.SaveTransaction: StatementKind(transactions.save_transaction, "other"),
    # the flow of a batch
    s.Declare: StatementKind(variables.declare, "other"),
    s.SetVariable: StatementKind(variables.assign, "other"),
    s.Print: StatementKind(messages.print_text, "other"),
    s.Throw: StatementKind(messages.throw, "other"),
    s.Raiserror: StatementKind(messages.raiserror, "other"),
    s.If: StatementKind(flow.run_if, "other", runs_others=True),
    s.TryCatch: StatementKind(flow.run_try, "other", runs_others=True),
    s.Execute: StatementKind(execute.run_procedure, "procedure", runs_others=True),
    s.ExecuteText: StatementKind(execute.run_text, "other", runs_others=True),
}
