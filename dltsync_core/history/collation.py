"""Whether two texts of a business key are one entity at the source.

Only SQL Server knows how a linguistic collation compares; its tables are not public. So there are two answers: `same_as` is
equal for texts that are surely one, `like` is a coarse filter, equal for the few texts that may be one. About those the server is
asked (`server_answers`); where it does not answer they are reported, and nothing is changed.

The filter takes away what collations may ignore: case, accents, width, kana, ligatures, characters that may weigh nothing. It
does not know the letters that single languages take for others (`aa` and `å` in Danish, `v` and `w` in Finnish): those stay two.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

PLAIN = "[ -~]*"
"""Regular expression: printable ASCII. All of its characters weigh something in every collation."""

_SETTLED = re.compile(r"(SQL_LATIN1_GENERAL_(PREF_)?CP(1|437|850)|LATIN1_GENERAL)_", re.IGNORECASE)
"""Collations that compare printable ASCII letter by letter. Others may take two letters for one (ch, aa), or i and I for two."""

_LETTERS = {
    "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "đ": "d", "ħ": "h", "ı": "i", "ɨ": "i", "ĸ": "k", "ł": "l", "ŋ": "n",
    "ø": "o", "ŧ": "t", "ς": "σ", "ƀ": "b", "ǥ": "g", "ƶ": "z",
}  # fmt: skip
_ACCENTED_ONLY = frozenset("đħłøŧðŋĸƀǥɨƶ")
"""Letters that are their base letter with a stroke: another one wherever accents count."""

_KEPT_MARKS = frozenset(
    "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u031b\u0323\u0327\u0328\u3099\u309a"
)
"""Accents that tell letters apart where accents count. The weight of other marks is not known: they are reasons to doubt."""

_KATAKANA = range(0x30A1, 0x30F7)
_TO_HIRAGANA = 0x60


@dataclass(frozen=True)
class CollationRule:
    """How the source compares a text column. `collation` None: text whose collation is not known. `is_unicode`: the column is
    nchar or nvarchar."""

    collation: str | None
    is_unicode: bool = True

    @cached_property
    def is_binary(self) -> bool:
        """Characters are compared by their numbers. Blanks at the end do not count there either."""
        return not self._words.isdisjoint({"BIN", "BIN2"})

    @cached_property
    def keeps_case(self) -> bool:
        return "CS" in self._words

    @cached_property
    def settles_case(self) -> bool:
        """Whether upper and lower case of printable ASCII are surely one."""
        return "CI" in self._words and _SETTLED.match(self.collation or "") is not None

    def same_as(self, text: str) -> str:
        """Equal for two texts: one entity at the source, surely."""
        stripped = text.rstrip(" ")
        return stripped.lower() if self.settles_case and re.fullmatch(PLAIN, text) else stripped

    def like(self, text: str) -> str:
        """Equal for two texts that may be one entity at the source, `same_as` or not."""
        if self.is_binary:
            return text.rstrip(" ")
        folded = unicodedata.normalize("NFC", text)
        if not self.keeps_case:
            folded = folded.casefold().replace("i\u0307", "i")  # İ, which some languages take for i
        return "".join(self._likened(c) for c in unicodedata.normalize("NFKD", folded)).rstrip(" ")

    def _likened(self, character: str) -> str:
        if character.isascii() and character.isprintable():
            return character
        if character in _KEPT_MARKS:
            return character if self._keeps_accents else ""
        if _may_weigh_nothing(character):
            return ""
        if ord(character) in _KATAKANA:
            return chr(ord(character) - _TO_HIRAGANA)
        if character.isdecimal():
            return str(unicodedata.decimal(character))
        return self._letter(character)

    def _letter(self, character: str) -> str:
        low = character.lower()
        if low == "ß":
            return "ss"
        if low in _LETTERS and not (self._keeps_accents and low in _ACCENTED_ONLY):
            other = _LETTERS[low]
            return other.upper() if self.keeps_case and low != character else other
        return character if self.keeps_case else unicodedata.normalize("NFKD", character.casefold())

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset((self.collation or "").upper().split("_"))

    @cached_property
    def _keeps_accents(self) -> bool:
        return "AS" in self._words


def _may_weigh_nothing(character: str) -> bool:
    """Control and format characters, marks, characters of a later Unicode than the older collations', and those beyond U+FFFF
    may be ignored when texts are compared."""
    return (
        ord(character) > 0xFFFF
        or unicodedata.category(character) in {"Cc", "Cf", "Mn", "Me", "Cs", "Co", "Cn"}
        or unicodedata.ucd_3_2_0.category(character) == "Cn"
    )
