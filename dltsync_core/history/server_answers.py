"""Business keys that may be one: which pairs the server is asked about, and what its answers make of the versions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TypeAlias

from dltsync_core.history.integrity import group_possible_matches
from dltsync_core.history.versions import Version, VersionColumns
from dltsync_core.tsql.collations import TextPair

Answers: TypeAlias = Mapping[TextPair, bool]
"""Whether the server takes the two texts of a pair for equal. A pair it did not answer is missing."""

LARGEST_GROUP = 20
"""Keys that may all be one. The pairs of a larger group are too many to ask about; it is reported as it is."""


def pairs_to_ask(versions: Iterable[Version], columns: VersionColumns) -> Iterator[TextPair]:
    """The pairs of texts that decide which keys are one. The same pair may come several times."""
    for entities in group_possible_matches(versions):
        if 1 < len(entities) <= LARGEST_GROUP:
            for left, right in combinations(entities, 2):
                yield from (
                    pair for pair in _pairs(left[0], right[0], columns) if pair is not None and pair.can_be_asked
                )


def with_answers(versions: Iterable[Version], columns: VersionColumns, answers: Answers) -> list[Version]:
    """The versions with their entities as the server tells them apart. Where one pair has no answer, its group stays in doubt."""
    found: list[Version] = []
    for entities in group_possible_matches(versions):
        classes = _classes(entities, columns, answers) if len(entities) > 1 else None
        if classes is None:
            found += (version for entity in entities for version in entity)
            continue
        for same in classes:
            first = same[0][0]
            entity = first.entity or first.key
            like = (*(first.like or first.key), *entity)
            found += (replace(version, entity=entity, like=like) for each in same for version in each)
    return found


def _classes(
    entities: Sequence[tuple[Version, ...]], columns: VersionColumns, answers: Answers
) -> list[list[tuple[Version, ...]]] | None:
    """The entities by what is one at the server. None when that is not known of every pair, or when the answers contradict one
    another."""
    classes: list[list[tuple[Version, ...]]] = []
    for entity in entities:
        matching = []
        for same in classes:
            equal = {_are_one(entity[0], other[0], columns, answers) for other in same}
            if equal == {True}:
                matching.append(same)
            elif equal != {False}:
                return None
        if len(matching) > 1:
            return None
        if matching:
            matching[0].append(entity)
        else:
            classes.append([entity])
    return classes


def _are_one(left: Version, right: Version, columns: VersionColumns, answers: Answers) -> bool | None:
    found = [None if pair is None else answers.get(pair) for pair in _pairs(left, right, columns)]
    if False in found:
        return False
    return None if None in found else True


def _pairs(left: Version, right: Version, columns: VersionColumns) -> Iterator[TextPair | None]:
    """A pair for each column in which two keys differ; None for one about which the server cannot be asked."""
    for number, (_, rule) in enumerate(columns.compared):
        one, other = sorted(((v.entity or v.key)[number] for v in (left, right)), key=lambda text: text or "")
        if one == other:
            continue
        if rule is None or rule.collation is None or one is None or other is None:
            yield None
        else:
            yield TextPair(rule.collation, one, other, rule.is_unicode)
