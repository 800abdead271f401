"""Checks of identifiers of devices, cards in them, vehicles and places: how many leading characters are accepted."""

from __future__ import annotations

import re
from collections.abc import Callable

from stdnum import luhn

from scanner.validators.basic import ipv4, ipv6

_SEPARATORS = re.compile(r"[ .:\-]")
_VIN_LETTERS = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
_VIN_VALUES = dict(zip(_VIN_LETTERS, map(int, "012345678912345678123457923456789"), strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_NO_MACS = frozenset({"0" * 12, "f" * 12, "020000000000"})
"""Nobody's address, everybody's, and what iOS and Android answer to every application."""
_DMS = re.compile(r"([0-9]+(?:\.[0-9]+)?)[°º]")


def _compact(text: str) -> str:
    return _SEPARATORS.sub("", text)


def _mac(text: str) -> int:
    """A hardware address of one device; with dots it must hold a letter, for numbers are grouped by dots as well."""
    address = _compact(text).lower()
    good = address not in _NO_MACS and not ("." in text and address.isdigit())
    return len(text) if good else 0


_FOUR_DIGITS = len("1.2.3.4")
_KNOWN_HOSTS = frozenset({"1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "4.2.2.1", "4.2.2.2"})


def _ipv4_host(text: str) -> int:
    """No network, nor a version like 110.0.0.0 or 1.2.3.4: one digit four times is one only of the well-known hosts."""
    looks_like_version = text.endswith(".0.0.0") or (len(text) == _FOUR_DIGITS and text not in _KNOWN_HOSTS)
    return 0 if looks_like_version else ipv4(text)


def _ipv6_numbered(text: str) -> int:
    """An address with a digit in it: `dead::beef` is more often the name of something in a program."""
    return ipv6(text) if any(c.isdigit() for c in text) else 0


def _imei(text: str) -> int:
    digits = _compact(text)
    good = len(digits) == 15 and luhn.is_valid(digits) and len(set(digits)) > 2
    return len(text) if good else 0


def _meid(text: str) -> int:
    """Fourteen hexadecimal digits from A0 on, perhaps with a check digit."""
    identifier = _compact(text)
    return len(text) if any(c.isdigit() for c in identifier) and len(set(identifier)) > 2 else 0


def _iccid(text: str) -> int:
    digits = _compact(text).rstrip("Ff")
    return len(text) if len(set(digits)) > 3 and luhn.is_valid(digits) else 0


def _vin(text: str) -> int:
    """The North American check digit; the number holds a letter and digits."""
    number = text.upper()
    if number.isdigit() or number.isalpha() or any(c not in _VIN_VALUES for c in number):
        return 0
    rest = sum(_VIN_VALUES[c] * weight for c, weight in zip(number, _VIN_WEIGHTS, strict=True)) % 11
    return len(text) if number[8] == "0123456789X"[rest] else 0


def _vin_form(text: str) -> int:
    """European numbers carry no check digit: letters and digits suffice where the context says what it is."""
    return 0 if text.isdigit() or text.isalpha() else len(text)


_LOWER_WORD = re.compile("[a-zäöü]{4}|[a-zäöü] | [a-zäöü]")


def _license_plate(text: str) -> int:
    """Letters and digits, between four and ten of them, and no word such as `plate`."""
    kept = _compact(text)
    good = 4 <= len(kept) <= 10 and not kept.isdigit() and not kept.isalpha() and not _LOWER_WORD.search(text)
    return len(text) if good else 0


def _uuid(text: str) -> int:
    """An identifier that is somebody's: all zeros is what a device answers when its owner said no."""
    return len(text) if len(set(text) - set("-{}")) > 2 else 0


def _point(text: str) -> int:
    """Latitude and longitude in degrees, in this order. Around 0, 0 there is only sea: fractions live there."""
    latitude, longitude = (float(part) for part in re.findall(r"-?[0-9]+(?:\.[0-9]+)?", text)[:2])
    good = abs(latitude) <= 90 and abs(longitude) <= 180 and (abs(latitude) >= 1 or abs(longitude) >= 1)
    return len(text) if good else 0


def _degrees(text: str) -> int:
    """One coordinate in degrees."""
    number = re.search(r"-?[0-9]+(?:\.[0-9]+)?", text)
    return len(text) if number and 0 < abs(float(number[0])) <= 180 else 0


def _dms(text: str) -> int:
    """Degrees, minutes and seconds, twice."""
    latitude, longitude = (float(part) for part in _DMS.findall(text)[:2])
    return len(text) if latitude <= 90 and longitude <= 180 else 0


VALIDATORS: dict[str, Callable[[str], int]] = {
    "mac.device": _mac,
    "ipv4.host": _ipv4_host,
    "ipv6.numbered": _ipv6_numbered,
    "imei": _imei,
    "meid": _meid,
    "iccid": _iccid,
    "vin": _vin,
    "vin.form": _vin_form,
    "license_plate": _license_plate,
    "uuid": _uuid,
    "geo": _point,
    "geo.degrees": _degrees,
    "geo.dms": _dms,
}
"""Names of rules' validators → functions."""
