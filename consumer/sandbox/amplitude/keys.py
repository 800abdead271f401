"""Who may call: key pairs with their region, level, org and project. A pair exists in one region only."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from consumer.ports import Region


class Level(StrEnum):
    """What a key pair opens. Org keys open the DSAR API and nothing else."""

    PROJECT = "project"
    ORG = "org"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a key pair belongs to. `app` is the project; an org-level pair has none."""

    region: Region
    level: Level
    org: str
    app: str | None


class KeyTable:
    """All key pairs of the stand-in."""

    def __init__(self) -> None:
        self._holders: dict[tuple[str, str], Holder] = {}

    def add(self, holder: Holder, pair: tuple[str, str] | None = None) -> tuple[str, str]:
        """Let a pair in; without one it gets `default_pair` of its project or org. Returns the pair."""
        pair = pair or default_pair(holder.app or f"org/{holder.org}")
        self._holders[pair] = holder
        return pair

    def holder(self, authorization: str | None, region: Region, level: Level) -> Holder | None:
        """Who sent this header to this region's host; None if refused: unknown, wrong region or wrong level."""
        holder = self._holders.get(_pair(authorization))
        return holder if holder and (holder.region, holder.level) == (region, level) else None

    def apps_of(self, holder: Holder) -> list[str]:
        """Every project of the holder's org and region, each once."""
        org = (holder.region, holder.org)
        return sorted({one.app for one in self._holders.values() if one.app and (one.region, one.org) == org})


def default_pair(name: str) -> tuple[str, str]:
    """API key and secret key of a project or org by rule, so that two processes agree without talking."""
    return _hex(f"api/{name}"), _hex(f"secret/{name}")


def _hex(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _pair(authorization: str | None) -> tuple[str, str]:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        key, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return key, secret
