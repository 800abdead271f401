"""Which copies are still wanted of whom: what an erasure must not overtake. Few at any time, so kept in the open."""

from __future__ import annotations

from consumer.domain.command import Identity
from consumer.domain.copies import Whose, wanted, whose
from consumer.domain.entry import IdentityState, LedgerKey, RequestEntry
from consumer.domain.subject import OrgId


class OpenCopies:
    """Not for sharing between threads."""

    def __init__(self) -> None:
        self._whose: dict[bytes, tuple[Whose, ...]] = {}
        self._keys: dict[Whose, set[bytes]] = {}

    def put(self, key: bytes, entry: RequestEntry) -> None:
        """The request as it is now; one that is no copy, or no longer wanted, is left out."""
        self.remove(key)
        if not wanted(entry):
            return
        self._whose[key] = tuple(filter(None, (whose(entry.org, identity) for identity in entry.identities)))
        for each in self._whose[key]:
            self._keys.setdefault(each, set()).add(key)

    def remove(self, key: bytes) -> None:
        """Nothing happens if it is not there."""
        for each in self._whose.pop(key, ()):
            self._keys[each].discard(key)
            if not self._keys[each]:
                del self._keys[each]

    def of(self, org: OrgId, identity: IdentityState | Identity) -> list[LedgerKey]:
        """The copies of exactly this identity in the org."""
        found = self._keys.get(whose(org, identity) or ("", "", ""), ())
        return [LedgerKey(key.decode()) for key in sorted(found)]
