"""One valid command about one request: what is the same for erasures and copies.

Pure but for the turn it writes into. `erasure_requests` and `copy_requests` say what differs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from consumer.domain.command import Asked, Command, CommandKind, ProjectRule
from consumer.domain.entry import LedgerKey, RequestEntry
from consumer.domain.erasure import resubmitted
from consumer.domain.errors import Reason, Refused
from consumer.domain.statement import reply
from consumer.domain.subject import CommandId, RequestId
from consumer.turn import Partition, Turn


@dataclass(frozen=True, slots=True)
class Case(ABC):
    """`entry` is the request that the command names, as it stands. Every method may raise `Refused`."""

    turn: Turn
    partition: Partition
    command: Command
    to: Asked
    rules: tuple[ProjectRule, ...]
    entry: RequestEntry | None

    @staticmethod
    @abstractmethod
    def key(request: RequestId, rule: ProjectRule) -> LedgerKey:
        """Where such a request stands in the ledger."""

    @property
    def rule(self) -> ProjectRule:
        """The project, or the first of several of one org."""
        return self.rules[0]

    def decide(self) -> None:
        """Carry the command out, or answer it."""
        if self.command.request_id is None:
            self.about_project()
        elif self.entry is None:
            self._about_nobody_known()
        elif self.command.command_id in self.entry.commands:
            self.answer(self.entry, duplicate_of=self.command.command_id)
        else:
            self._about(self.entry)

    def _about(self, entry: RequestEntry) -> None:
        match self.command.kind:
            case CommandKind.SUBMIT:
                self._submit_again(entry)
            case CommandKind.RESUBMIT:
                if not entry.ended:
                    raise Refused(Reason.STILL_OPEN)
                self.settle(resubmitted(entry, self.fresh()))
            case CommandKind.CANCEL:
                self._cancel(entry)
            case CommandKind.APPROVE:
                if entry.ended:
                    raise Refused(Reason.ALREADY_ENDED)
                approved = self.approved(entry)
                self.settle(approved)
                self.answer(approved)
            case CommandKind.PAUSE | CommandKind.RESUME:
                raise Refused(Reason.CONTRADICTORY_COMMAND, "pause and resume are about a whole project")

    def answer(self, entry: RequestEntry, duplicate_of: CommandId | None = None) -> None:
        """Say how the request stands."""
        stage = entry.stage or entry.reached
        self.turn.outcomes.append(reply(self.to, stage, self.turn.now, entry=entry, duplicate_of=duplicate_of))

    def settle(self, after: RequestEntry) -> None:
        """Write the request, and say what follows."""
        self.turn.settle(self.partition, self.entry, after, self.command.command_id)

    def _about_nobody_known(self) -> None:
        if self.command.kind is not CommandKind.SUBMIT:
            raise Refused(Reason.UNKNOWN_REQUEST)
        self.settle(self.fresh())

    def _submit_again(self, entry: RequestEntry) -> None:
        if not self.command.body_digest.startswith(entry.body_digest):
            raise Refused(Reason.CONFLICTING_DUPLICATE)
        self.answer(entry, duplicate_of=entry.commands[0])

    def _cancel(self, entry: RequestEntry) -> None:
        if entry.ended or entry.erased is not None:
            raise Refused(Reason.ALREADY_ENDED)
        if entry.cancel_command is not None:
            self.answer(entry, duplicate_of=entry.cancel_command)
        else:
            self.settle(self.cancelled(entry))

    @abstractmethod
    def about_project(self) -> None:
        """The command names no request."""

    @abstractmethod
    def fresh(self) -> RequestEntry:
        """A request that begins."""

    @abstractmethod
    def cancelled(self, entry: RequestEntry) -> RequestEntry:
        """The request after the cancel."""

    @abstractmethod
    def approved(self, entry: RequestEntry) -> RequestEntry:
        """The request after the approval."""
