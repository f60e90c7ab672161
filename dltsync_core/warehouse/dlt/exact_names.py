"""A naming convention for dlt that changes nothing. dlt's own `direct` still trims blanks and replaces quotes.

dlt finds the class by this module's name (setting `schema.naming`).
"""

from __future__ import annotations

from collections.abc import Sequence

from dlt.common.normalizers.naming import NamingConvention as _NamingConvention


class NamingConvention(_NamingConvention):
    """Every identifier stays what it is."""

    @property
    def is_case_sensitive(self) -> bool:
        return True

    def normalize_identifier(self, identifier: str) -> str:
        return identifier

    def normalize_path(self, path: str) -> str:
        return path

    def normalize_tables_path(self, path: str) -> str:
        return path

    def break_path(self, path: str) -> Sequence[str]:
        return [path]
