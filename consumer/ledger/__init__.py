"""The ledger of a partition in memory: open requests as they are written, closed ones packed in pages."""

from consumer.ledger.shard import CLOSED, PROJECT_KEY, LedgerCodec, Shard, Version, headers_of

__all__ = ["CLOSED", "PROJECT_KEY", "LedgerCodec", "Shard", "Version", "headers_of"]
