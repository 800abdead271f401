"""The lanes: one for each (partition, project), making that project's calls to Amplitude at its pace."""

from consumer.lanes.fleet import Lanes
from consumer.lanes.policy import LanePolicy
from consumer.lanes.tenure import Ledger

__all__ = ["LanePolicy", "Lanes", "Ledger"]
