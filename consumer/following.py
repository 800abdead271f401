"""Two that work on open requests, told apart by what a request is: lanes erase, copies copy."""

from __future__ import annotations

from consumer.copies import Copies
from consumer.domain.entry import RequestEntry
from consumer.domain.project import ProjectState
from consumer.domain.subject import ProjectId
from consumer.lanes import Lanes
from consumer.turn import Partition


class Following:
    """Implements the desk's `Followers`. Called in the Kafka thread. Without `copies` nobody works on copies."""

    def __init__(self, lanes: Lanes, copies: Copies | None) -> None:
        self._lanes, self._copies = lanes, copies

    def opened(self, partition: Partition, epoch: int, states: list[ProjectState], watched: list[ProjectId]) -> None:
        """A partition is ours."""
        if self._copies:
            self._copies.opened(partition, epoch)
        self._lanes.opened(partition, epoch, states, watched)

    def settling(self, partition: Partition) -> None:
        """A partition is about to be given up."""
        if self._copies:
            self._copies.settling(partition)
        self._lanes.settling(partition)

    def busy(self, partition: Partition) -> bool:
        """Whether something of the partition is still under way."""
        copying = self._copies is not None and self._copies.busy(partition)
        return copying or self._lanes.busy(partition)

    def closed(self, partition: Partition) -> None:
        """A partition is no longer ours."""
        if self._copies:
            self._copies.closed(partition)
        self._lanes.closed(partition)

    def changed(self, partition: Partition, entries: list[RequestEntry]) -> None:
        """These requests are durable in this form."""
        copied = [entry for entry in entries if entry.copy is not None]
        if copied and self._copies:
            self._copies.changed(partition, copied)
        if len(copied) < len(entries):
            self._lanes.changed(partition, [entry for entry in entries if entry.copy is None])

    def project_changed(self, partition: Partition, states: list[ProjectState]) -> None:
        """These projects are durable in this form."""
        self._lanes.project_changed(partition, states)
