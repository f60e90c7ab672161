"""Write docs/configuration.md from the config models, so that the page cannot disagree with the code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dltsync_core.config import json_schema

PAGE = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"

HEAD = """# Configuration

One file, YAML (`dltsync.yaml`) or TOML. `--config` or `$DLT_SYNC_CONFIG` names it; otherwise `./dltsync.yaml` is read. Relative
paths are relative to the file. An unknown field is an error that names the nearest known one. The [glossary](glossary.md)
explains the terms.

Text may hold `${VARIABLE}` or `${VARIABLE:-default}`; `$${` is a literal `${`. Two kinds of environment variables apply too:
`DLT_SYNC_SERVER`, `DLT_SYNC_PASSWORD` and so on fill fields that `database` leaves out; `DLT_SYNC_<SECTION>__<FIELD>`
(`DLT_SYNC_PROCESSING__MAX_WORKERS=8`) wins over the file.

Editors that understand JSON Schema complete and check the file: `dltsync schema > dltsync.schema.json`, then put
`# yaml-language-server: $schema=dltsync.schema.json` on its first line.

## Tables by pattern

An entry of `partition_tables`, `scd_tables` or `static_tables` names one table (`table_name`), or stands for all whose names
fit (`match`):

```yaml
partition_tables:
  - match: "sales.*"                          # every table on a partition function
    exclude: ["sales.*_backup"]
  - {table_name: Orders, schema_name: sales, schema_drift: freeze}
static_tables:
  - match: "sales.*"                          # every other table of the schema
    exclude: ["sales.*_backup"]
```

The tables are looked up in the source's catalogue whenever a run, a plan or a check begins: a new table is loaded by the
next run. An entry that names a table wins over every pattern; of several patterns the first that fits by name and kind
counts, in the order partition, scd, static. The other fields of a pattern hold for each of its tables. A table that fits the
name and not the kind is left to the next pattern, and named with the reason when there is none; a pattern that fits no table
is a warning; when nothing is left to load the run fails. A table that is dropped from the source simply stops being loaded:
its rows stay in lake and warehouse. In Dagster patterns need [`DltsyncDiscoveryComponent`](dagster.md).

`scripts/configuration_docs.py` writes this page from the config models; a test fails while it is out of date.
"""


KINDS = ("PartitionTableConfig", "SCDTableConfig", "StaticTableConfig")
EVERY_TABLE, EVERY_PATTERN = "Fields of every table", "Fields of every pattern"
ALIKE = {"WarehouseConnection": "DatabaseConfig"}
"""Sections with the fields of another one, and that one."""


def page() -> str:
    """The whole page."""
    schema = json_schema()
    return "\n".join([HEAD, *_section("The file", schema, schema), *_common(schema), *_sections(schema)]) + "\n"


def _common(schema: dict[str, Any]) -> Iterator[str]:
    """What the three kinds of table share, and what their patterns share."""
    kinds = [schema["$defs"][name] for name in KINDS]
    yield f"## {EVERY_TABLE}\n"
    links = ", ".join(_link(name) for name in KINDS)
    yield f"Each kind of table has these fields and some of its own: {links}.\n"
    yield from _table(_shared(kinds), kinds[0], schema)
    patterns = [schema["$defs"][_pattern_of(name)] for name in KINDS]
    yield f"## {EVERY_PATTERN}\n"
    yield "A pattern ([tables by pattern](#tables-by-pattern)) has these fields, and those of its kind of table but `table_name`,"
    yield "`schema_name` and `target_table`.\n"
    yield from _table(_shared(patterns, lambda name: name in ("match", "exclude")), patterns[0], schema)


def _shared(definitions: Sequence[dict[str, Any]], chosen: Callable[[str], bool] = lambda _: True) -> dict[str, Any]:
    """The fields that all of these define alike."""
    first, *others = definitions
    return {
        name: field
        for name, field in first["properties"].items()
        if chosen(name) and all(_defined(other, name) == (field, name in first.get("required", ())) for other in others)
    }


def _defined(definition: dict[str, Any], name: str) -> tuple[Any, bool]:
    return definition["properties"].get(name), name in definition.get("required", ())


def _sections(schema: dict[str, Any]) -> Iterator[str]:
    for name, definition in schema.get("$defs", {}).items():
        if "properties" in definition:
            yield from _section(name, definition, schema)


def _section(title: str, definition: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {title}\n"
    if definition.get("description"):
        yield f"{definition['description']}\n"
    fields = dict(definition["properties"])
    kinds = [schema["$defs"][name] for name in KINDS]
    if title in KINDS:
        fields = {name: field for name, field in fields.items() if name not in _shared(kinds)}
        yield f"The [fields of every table](#{_anchor(EVERY_TABLE)}), and:\n"
    elif title in map(_pattern_of, KINDS):
        kind = _link(title.replace("Pattern", "Config"))
        yield f"The [fields of every pattern](#{_anchor(EVERY_PATTERN)}), and those of {kind}.\n"
        return
    elif title in ALIKE:
        other = schema["$defs"][ALIKE[title]]
        fields = {name: field for name, field in fields.items() if name not in _shared([definition, other])}
        yield f"The fields of {_link(ALIKE[title])}{', and:' if fields else '.'}\n"
    if fields:
        yield from _table(fields, definition, schema)


def _table(fields: Mapping[str, Any], definition: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    yield "| field | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    required = set(definition.get("required", ()))
    for name, field in fields.items():
        default = "**required**" if name in required else _default(field)
        meaning = " ".join(str(field.get("description", "")).split()).replace("|", "\\|")
        yield f"| `{name}` | {_type(field, schema)} | {default} | {meaning} |"
    yield ""


def _pattern_of(kind: str) -> str:
    return kind.replace("Config", "Pattern")


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _link(name: str) -> str:
    return f"[{name}](#{_anchor(name)})"


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return ""
    value = field["default"]
    if value is None or value in ([], {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return _link(name)
    if "allOf" in field:
        return _type(field["allOf"][0], schema)
    if "oneOf" in field:
        return " or ".join(_type(f, schema) for f in field["oneOf"])
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(f, schema) for f in field["anyOf"] if f.get("type") != "null"))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), schema)}"
    if field.get("type") == "object":
        return "map"
    return str(field.get("type", "value"))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
