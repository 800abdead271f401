"""Checks of cards and bank accounts."""

from __future__ import annotations

import re
from collections.abc import Callable

from scanner.validators.basic import card

_TRACK = re.compile(r"(?:%?[Bb]|;)?([0-9]{12,19})[\^=]")
_ISO_3166 = (
    "AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA "
    "CD CF CG CH CI CK CL CM CN CO CR CU CV CW CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FK FO FR GA GB GD "
    "GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IQ IR IS IT JE JM JO JP KE KG KH "
    "KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MQ MR MS MT MU "
    "MV MW MX MY MZ NA NC NE NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW "
    "SA SB SC SD SE SG SH SI SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG "
    "US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)
_COUNTRIES = frozenset(_ISO_3166.split())


def _track(text: str) -> int:
    """The data of a magnetic stripe: its card number is one."""
    found = _TRACK.match(text)
    return len(text) if found and card(found[1]) else 0


def _bic(text: str) -> int:
    """Four letters of the bank, a country, two of the place, perhaps three of the branch."""
    return len(text) if text[4:6].upper() in _COUNTRIES else 0


def _various(text: str) -> int:
    """More than two different digits: placeholders like 0000000 or 1111-1111 have fewer."""
    return len(text) if len({c for c in text if c.isdigit()}) > 2 else 0


VALIDATORS: dict[str, Callable[[str], int]] = {
    "card.track": _track,
    "bic": _bic,
    "various": _various,
}
"""Names of rules' validators → functions."""
