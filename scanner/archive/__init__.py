"""Exports as they come (zip, gzip, lines; nested) to blocks of whole lines, forward only and in bounded memory.

Two stages, because a pool of processes fits between them: `Archive` finds the members of an input, `Content` unpacks
one member to blocks. What cannot be read is typed, counted and passed over; `Account` says where every byte went.
"""

from scanner.archive.account import Account, Reading, Split, Text, Trouble, of_member
from scanner.archive.archive import Archive, chunks_of
from scanner.archive.content import Content
from scanner.archive.limits import Limits
from scanner.archive.lines import Block
from scanner.archive.zip import Member

__all__ = [
    "Account",
    "Archive",
    "Block",
    "Content",
    "Limits",
    "Member",
    "Reading",
    "Split",
    "Text",
    "Trouble",
    "chunks_of",
    "of_member",
]
