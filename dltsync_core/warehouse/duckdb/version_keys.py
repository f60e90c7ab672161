"""The SQL that tells the entities of a history apart, as the source's collations do: the twin of `history.collation`.

Printable ASCII is compared by SQL alone; what other text is like is asked of Python, spelling by spelling (`likening`).
"""

from __future__ import annotations

from dataclasses import dataclass

from dltsync_core.duckdb import sql as q
from dltsync_core.history.collation import PLAIN, CollationRule
from dltsync_core.history.versions import VersionColumns


@dataclass(frozen=True)
class KeySql:
    """Each business key has three columns: d_key (as spelt), d_entity (`Spelling.same_as`), d_like (`Spelling.like`)."""

    columns: VersionColumns
    plain: frozenset[int] = frozenset()
    """Keys (by number) of which every spelling is likened by SQL alone: Python is not asked."""

    @property
    def spelt(self) -> list[str]:
        return self._names("d_key")

    @property
    def entities(self) -> list[str]:
        return self._names("d_entity")

    @property
    def likenesses(self) -> list[str]:
        return self._names("d_like")

    @property
    def folded(self) -> list[tuple[int, CollationRule]]:
        """The keys of which some spellings are likened outside of SQL: (number, spelling)."""
        return [(n, s) for n, (_, s) in enumerate(self.columns.compared) if s is not None and not s.is_binary]

    def selected(self) -> str:
        """The keys as they are spelt."""
        return ", ".join(
            f"{q.identifier(name)} AS {alias}"
            for name, alias in zip(self.columns.business_keys, self.spelt, strict=True)
        )

    def compared(self, versions: str) -> str:
        """A query over versions with d_key columns, with the entity and the likeness of each key added."""
        added = ", ".join(
            f"{self._entity(n, s)} AS d_entity_{n}, {self._like(n, s)} AS d_like_{n}"
            for n, (_, s) in enumerate(self.columns.compared)
        )
        return f"SELECT d_version.*, {added} FROM ({versions}) AS d_version"

    def doubtful(self) -> str:
        """Whether other entities are like this one. Plain spellings whose case is settled leave no doubt."""
        likenesses = ", ".join(self.likenesses)
        return q.any_of(
            [
                f"min(d_entity_{n}) OVER (PARTITION BY {likenesses}) <> max(d_entity_{n}) OVER (PARTITION BY {likenesses})"
                for n, spelling in self.folded
                if not (n in self.plain and (spelling.settles_case or spelling.keeps_case))
            ]
            or [q.NOTHING]
        )

    def are_plain(self, table: str) -> str:
        """One row: of each of the `folded` keys, whether SQL likens all of its spellings by itself."""
        tests = [
            f"coalesce(bool_and({_is_plain(q.identifier(self.columns.business_keys[n]))}), TRUE)"
            for n, _ in self.folded
        ]
        return f"SELECT {', '.join(tests)} FROM {table}"

    def _names(self, prefix: str) -> list[str]:
        return [f"{prefix}_{number}" for number, _ in enumerate(self.columns.business_keys)]

    def _entity(self, number: int, spelling: CollationRule | None) -> str:
        key = f"d_version.d_key_{number}"
        if spelling is None:
            return key
        trimmed = f"rtrim({key}, ' ')"
        if not spelling.settles_case:
            return trimmed
        if number in self.plain:
            return f"lower({trimmed})"
        return f"CASE WHEN {_is_plain(key)} THEN lower({trimmed}) ELSE {trimmed} END"

    def _like(self, number: int, spelling: CollationRule | None) -> str:
        key = f"d_version.d_key_{number}"
        if spelling is None:
            return key
        trimmed = f"rtrim({key}, ' ')"
        if spelling.is_binary:
            return trimmed
        asked = f"{likening(number)}({key})"
        plain = trimmed if spelling.keeps_case else f"lower({trimmed})"
        return plain if number in self.plain else f"CASE WHEN {_is_plain(key)} THEN {plain} ELSE {asked} END"


def likening(number: int) -> str:
    """The name of the function that says what a spelling of this key is like."""
    return f"dltsync_like_{number}"


def _is_plain(text: str) -> str:
    return f"regexp_full_match({text}, {q.text(PLAIN)})"
