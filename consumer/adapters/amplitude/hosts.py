"""Which host answers for a region. Knows no request and no key.

Source: Amplitude, "User Privacy API" and its "Regions" section. `analytics.amplitude.com` is the browser application
and answers 200 with a login page, so it is never a base URL.
"""

from __future__ import annotations

from consumer.ports import Access, Region

API: dict[Region, str] = {
    Region.US: "https://amplitude.com",
    Region.EU: "https://analytics.eu.amplitude.com",
}
"""User Privacy v1, DSAR, Export and the Dashboard REST API."""

PRIVACY_V2: dict[Region, str] = {
    Region.US: "https://privacy.amplitude.com",
    Region.EU: "https://privacy.eu.amplitude.com",
}
"""User Privacy v2."""

OTHER: dict[Region, Region] = {Region.US: Region.EU, Region.EU: Region.US}


def base_url(access: Access, hosts: dict[Region, str] = API) -> str:
    """Scheme and host (or the override, which may carry a path), without a slash at the end."""
    return (access.base_url or hosts[access.region]).rstrip("/")


def other_base_url(access: Access) -> str | None:
    """Where the same keys would live if the region setting were wrong; None when the host is overridden."""
    return None if access.base_url is not None else API[OTHER[access.region]]
