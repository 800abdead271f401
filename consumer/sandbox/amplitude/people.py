"""Who exists in a project, and under which Amplitude IDs. By rule, so that a million users need no seeding.

Every user id exists unless it starts with the ghost prefix; its Amplitude IDs follow from (app, user id). Every id
can be set by hand instead. An Amplitude ID asked for directly exists if it was ever derived or seeded, or has the
13 digits of a real one. People who were erased are not known here: `book` decides that.
"""

from __future__ import annotations

from hashlib import blake2b

GHOST_PREFIX = "ghost-"
SEVERAL_PREFIX = "several-"
SEVERAL = 2
LEAST_AMPLITUDE_ID = 1_000_000_000_000
MOST_AMPLITUDE_ID = 9_999_999_999_999


class People:
    """The persons of all projects. `ghost_prefix` marks user ids that nobody has, `several_prefix` those with two."""

    def __init__(self, ghost_prefix: str = GHOST_PREFIX, several_prefix: str = SEVERAL_PREFIX) -> None:
        self._ghost_prefix = ghost_prefix
        self._several_prefix = several_prefix
        self._seeded: dict[tuple[str, str], tuple[int, ...]] = {}
        self._user_of: dict[tuple[str, int], str] = {}

    def seed(self, app: str, user_id: str, amplitude_ids: tuple[int, ...]) -> None:
        """Let a user of one project have exactly these Amplitude IDs; none at all means that nobody has that id."""
        self._seeded[app, user_id] = amplitude_ids
        for amplitude_id in amplitude_ids:
            self._user_of[app, amplitude_id] = user_id

    def amplitude_ids(self, app: str, user_id: str) -> tuple[int, ...]:
        """All Amplitude IDs of a user; empty if there is no such user. User ids are case-sensitive."""
        seeded = self._seeded.get((app, user_id))
        if seeded is not None:
            return seeded
        if user_id.startswith(self._ghost_prefix):
            return ()
        count = SEVERAL if user_id.startswith(self._several_prefix) else 1
        found = tuple(_derive(f"{app}/{n}/{user_id}") for n in range(count))
        for amplitude_id in found:
            self._user_of[app, amplitude_id] = user_id
        return found

    def with_prefix(self, app: str, prefix: str) -> dict[int, str]:
        """Everybody of the project known so far whose user id begins so, by Amplitude ID."""
        known = ((amplitude_id, user) for (where, amplitude_id), user in self._user_of.items() if where == app)
        return {amplitude_id: user for amplitude_id, user in known if user.startswith(prefix)}

    def user_of(self, app: str, amplitude_id: int) -> str | None:
        """The user behind an Amplitude ID, as far as that was ever derived or seeded."""
        return self._user_of.get((app, amplitude_id))

    def exists(self, app: str, amplitude_id: int) -> bool:
        """Whether an Amplitude ID that was asked for directly belongs to anybody."""
        known = (app, amplitude_id) in self._user_of
        return known or LEAST_AMPLITUDE_ID <= amplitude_id <= MOST_AMPLITUDE_ID


def _derive(seed: str) -> int:
    digest = blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return LEAST_AMPLITUDE_ID + int.from_bytes(digest) % (MOST_AMPLITUDE_ID - LEAST_AMPLITUDE_ID + 1)
