"""The ledger of a partition in memory: open requests packed, closed ones in pages, and where each stands in jobs."""

from consumer.ledger.packing import Packing
from consumer.ledger.shard import CLOSED, PROJECT_KEY, LedgerCodec, Shard, Version, headers_of

__all__ = ["CLOSED", "PROJECT_KEY", "LedgerCodec", "Packing", "Shard", "Version", "headers_of"]
