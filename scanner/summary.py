"""What a scan found and what it read: counters that merge in any order, never a value.

    Tally     sums: `a + b` is both. Associative, commutative, not idempotent: for the blocks of one source
    Summary   unions: `a | b` counts every source once. Associative, commutative, idempotent: for whole sources

A tally keeps at most `Limits.fields` fields and `Limits.rows` rows. What is beyond is added up under `OTHER`, per
data type: hits, grades, shapes and distinct counts stay, only the place is lost. Which fields are kept must not depend
on the order of merging, so it is a property of the field alone: shallow paths before deep ones (it is the deep ones
that programs make up), then by hash. A field that a part has already dropped has too many fields before it in that
part, and so in the whole; a field that the whole keeps was therefore dropped nowhere, and its counters are exact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import reduce
from heapq import nsmallest
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from scanner.errors import BadInput, Fault, ScanError
from scanner.evidence import Evidence, Field, Key, Origin

_Name = TypeVar("_Name")


class Limits(NamedTuple):
    """The most that a tally keeps. Thousands of event types with a hundred properties each are usual, hits are few."""

    fields: int = 50_000
    rows: int = 5_000

    def least(self, other: Limits) -> Limits:
        """The narrower of both."""
        return Limits(*map(min, self, other))


FORMAT = 1
"""Of `Summary.to_json`."""

INCIDENTS = "incidents."
"""Prefix of names in an account; a `Fault` follows: in how many places something was left out for it, up to 1,000."""

OTHER = Field("{other}", "{other}")
"""Where everything beyond the limits is added up. A path starts with `/`, so no field has this name."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counters of a part of a source.

    `seen`: the events in which a field held a number or a non-empty string, for every field, clean ones included.
    `account`: what was read and what was skipped, by the names of `scanner.archive`; all of them add up.
    `origins`: of each row an early event that held it. Which one it is depends on who read what first, so it is no part
    of what two tallies are compared by.
    """

    seen: Mapping[Field, int] = field(default_factory=dict)
    rows: Mapping[Key, Evidence] = field(default_factory=dict)
    account: Mapping[str, int] = field(default_factory=dict)
    limits: Limits = Limits()
    origins: Mapping[Key, Origin] = field(default_factory=dict, compare=False)

    def __add__(self, other: Tally) -> Tally:
        """Both parts together."""
        limits = self.limits.least(other.limits)
        rows = dict(self.rows)
        for key, evidence in other.rows.items():
            rows[key] = rows[key] + evidence if key in rows else evidence
        origins = earliest_origins(self.origins, other.origins)
        return Tally.of(_sum(self.seen, other.seen), rows, _sum(self.account, other.account), limits, origins)

    def merge(self, other: Tally) -> Tally:
        """The same as `+`, for those who merge whatever has parts."""
        return self + other

    @classmethod
    def of(
        cls,
        seen: Mapping[Field, int],
        rows: Mapping[Key, Evidence],
        account: Mapping[str, int],
        limits: Limits,
        origins: Mapping[Key, Origin] = MappingProxyType({}),
    ) -> Tally:
        """These counters, cut to the limits."""
        cut = _within(limits, seen, rows, account)
        return replace(cut, origins={key: origin for key, origin in origins.items() if key in cut.rows})


@dataclass(frozen=True, slots=True)
class Summary:
    """What whole sources hold.

    `sources` are SHA-256 digests (hex) of what was read, `rules` is the digest of the rule set, `key` the name of the
    fingerprints' key (`Fingerprints.name`). `Summary()` is neutral.
    """

    sources: frozenset[str] = frozenset()
    rules: str = ""
    key: str = ""
    tally: Tally = Tally()

    def __or__(self, other: Summary) -> Summary:
        """Every source of both once. Raises ScanError where that cannot be told from the counters."""
        if other.sources <= self.sources:
            return self
        if self.sources <= other.sources:
            return other
        _refuse_mixture(self, other)
        return Summary(self.sources | other.sources, self.rules, self.key, self.tally + other.tally)

    @property
    def incidents(self) -> dict[str, int]:
        """In how many places something could not be read, by `scanner.errors.Fault`; empty where all was read."""
        account = self.tally.account.items()
        return {name.removeprefix(INCIDENTS): number for name, number in account if name.startswith(INCIDENTS)}

    def to_json(self) -> dict[str, Any]:
        """As JSON that any JSON library can carry, sorted: equal summaries give equal documents.

        `seen` are [event type, path, events], `rows` are [event type, path, data type, evidence].
        """
        return {
            "format": FORMAT,
            "sources": sorted(self.sources),
            "rules": self.rules,
            "key": self.key,
            "limits": list(self.tally.limits),
            "account": dict(sorted(self.tally.account.items())),
            "seen": [[*place, events] for place, events in sorted(self.tally.seen.items())],
            "rows": [[*key, evidence.to_json()] for key, evidence in sorted(self.tally.rows.items())],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Summary:
        """What `to_json` gave. Raises BadInput for anything else."""
        try:
            if told["format"] != FORMAT:
                raise BadInput(Fault.BAD_SUMMARY, "the summary was written by another version")
            return cls(frozenset(map(str, told["sources"])), str(told["rules"]), str(told["key"]), _tally(told))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BadInput(Fault.BAD_SUMMARY, "this is not a summary") from None


def _tally(told: Mapping[str, Any]) -> Tally:
    return Tally.of(
        {Field(str(event_type), str(path)): int(events) for event_type, path, events in told["seen"]},
        {Key(*map(str, key)): Evidence.from_json(evidence) for *key, evidence in told["rows"]},
        {str(name): int(count) for name, count in told["account"].items()},
        Limits(*map(int, told["limits"])),
    )


def merged(summaries: Iterable[Summary]) -> Summary:
    """All of them as one."""
    return reduce(Summary.__or__, summaries, Summary())


def earliest_origins(one: Mapping[Key, Origin], other: Mapping[Key, Origin]) -> dict[Key, Origin]:
    """Of each row the earlier of both."""
    merged = dict(one)
    for key, origin in other.items():
        merged[key] = min(origin, merged.get(key, origin), key=lambda each: each.rank)
    return merged


def _refuse_mixture(one: Summary, other: Summary) -> None:
    if one.sources & other.sources:
        raise ScanError(Fault.UNMERGEABLE, "two summaries share some of their sources: merging would count them twice")
    if one.rules != other.rules:
        raise ScanError(Fault.UNMERGEABLE, "two summaries were made by different rules")
    if one.key != other.key:
        raise ScanError(Fault.UNMERGEABLE, "two summaries have fingerprints of different keys")


def _sum(one: Mapping[_Name, int], other: Mapping[_Name, int]) -> dict[_Name, int]:
    total = dict(one)
    for name, count in other.items():
        total[name] = total.get(name, 0) + count
    return total


def _within(
    limits: Limits, seen: Mapping[Field, int], rows: Mapping[Key, Evidence], account: Mapping[str, int]
) -> Tally:
    fields = (seen.keys() | {key.field for key in rows}) - {OTHER}
    if len(fields) <= limits.fields and len(rows.keys()) <= limits.rows:
        return Tally(seen, rows, account, limits)
    kept = set(nsmallest(limits.fields, fields, key=_rank))
    inside = (key for key in rows if key.field in kept)
    named = set(nsmallest(limits.rows, inside, key=lambda key: (_rank(key.field), key.data_type)))
    return Tally(_folded_counts(seen, kept), _folded_rows(rows, named), account, limits)


def _folded_counts(seen: Mapping[Field, int], kept: AbstractSet[Field]) -> dict[Field, int]:
    folded: dict[Field, int] = {}
    for place, events in seen.items():
        target = place if place in kept else OTHER
        folded[target] = folded.get(target, 0) + events
    return folded


def _folded_rows(rows: Mapping[Key, Evidence], named: AbstractSet[Key]) -> dict[Key, Evidence]:
    folded: dict[Key, Evidence] = {}
    for key, evidence in rows.items():
        target = key if key in named else Key(*OTHER, key.data_type)
        folded[target] = folded[target] + evidence if target in folded else evidence
    return folded


def _rank(place: Field) -> tuple[int, bytes]:
    name = f"{place.event_type}\0{place.path}".encode("utf-8", "surrogatepass")
    return place.path.count("/"), hashlib.blake2b(name, digest_size=16).digest()
