"""What the copies of the requests stage need, wired: Amplitude's DSAR API, search and activity, the store, the seal."""

from __future__ import annotations

from contextlib import AsyncExitStack

from consumer.adapters.amplitude.activity import ActivityClient
from consumer.adapters.amplitude.client import AmplitudeClient
from consumer.adapters.amplitude.dsar import DsarClient
from consumer.adapters.sealing import AgeSealer
from consumer.adapters.store import open_store
from consumer.copies import CopyPolicy, Keeping, World
from consumer.ports import Clock, Meter
from consumer.projects import Projects


async def copy_world(
    stack: AsyncExitStack,
    projects: Projects,
    client: AmplitudeClient,
    *,
    clock: Clock,
    meter: Meter,
    policy: CopyPolicy,
) -> World | None:
    """None without a store: then copies are refused at intake, and those of a time when there was one rest.

    Raises `Fatal(INVALID_SETTINGS)` for a store that cannot be opened, and for a recipient that is none.
    """
    settings = projects.settings.copies
    if settings.store is None:
        return None
    return World(
        dsar=await stack.enter_async_context(DsarClient(client)),
        activity=ActivityClient(client),
        store=open_store(settings.store, settings.store_options),
        sealer=AgeSealer(settings.recipients),
        org_access=projects.org_access,
        access=projects.access,
        rules=projects.rules,
        clock=clock,
        meter=meter,
        policy=policy,
        keeping=Keeping(settings.months, settings.keep_days, settings.delete_expired),
    )
