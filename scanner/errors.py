"""The scanner's errors, sorted by what the caller must do.

    ScanError                  each carries a `Reason` code from one enum; messages never quote data
      BadRules                 the rule files are wrong: mend them
      BadArchive               this member, or the rest of this archive, cannot be read: count it, go on with the next
      BadInput                 the file is not there, not readable, or not of a kind we read
      Stopped                  a scanner process ended: nothing it had not delivered counts

A message says what is wrong and where in *our* words: rule ids, member ordinals, byte offsets. Texts of other libraries
are not forwarded, because they can quote a value.
"""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Why something was not scanned, or could not start. The code of reports, metrics and exit messages."""

    # archives and lines
    TRUNCATED = "truncated"
    DAMAGED = "damaged"  # the compressed stream, a checksum or a length is wrong
    UNSUPPORTED = "unsupported"  # encrypted, or a compression method we do not read
    WRONG_TYPE = "wrong_type"  # a member that is not JSON lines
    OVERSIZED_LINE = "oversized_line"
    BOMB = "bomb"  # expands beyond the allowed ratio
    NOT_AN_ARCHIVE = "not_an_archive"
    SAME_INPUT = "same_input"  # two inputs have the same content
    UNREADABLE = "unreadable"  # the operating system refused
    # rules
    RULE_SYNTAX = "rule_syntax"
    RULE_EXAMPLE = "rule_example"
    RULE_UNPROVED = "rule_unproved"
    RULE_TOO_LARGE = "rule_too_large"  # its automaton would exceed the budget
    # running
    ENGINE_MISSING = "engine_missing"
    WORKER_DIED = "worker_died"
    # results
    UNMERGEABLE = "unmergeable"  # summaries that share part of their sources, or were made by different rules or keys
    BAD_SUMMARY = "bad_summary"
    BAD_ALLOW_LIST = "bad_allow_list"
    BAD_BASELINE = "bad_baseline"


class ScanError(Exception):
    """Base of all. `fault` is the machine's word, `str(error)` ours for people."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


class BadRules(ScanError):
    """A rule file or a rule is wrong; nothing was scanned."""


class BadArchive(ScanError):
    """A member, or what follows in an archive, cannot be read."""


class BadInput(ScanError):
    """The input is missing, unreadable or of no known kind."""


class Stopped(ScanError):
    """A scanner process ended before its work was delivered."""
