"""Copies: what Amplitude holds on a person, asked for at the org's budget, fetched, packed and delivered."""

from consumer.copies.fleet import Copies
from consumer.copies.ground import Keeping, Sealer, Unsealed, World
from consumer.copies.policy import CopyPolicy

__all__ = ["Copies", "CopyPolicy", "Keeping", "Sealer", "Unsealed", "World"]
