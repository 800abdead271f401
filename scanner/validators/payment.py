"""Checks of cards and bank accounts."""

from __future__ import annotations

import re
from collections.abc import Callable

from stdnum import luhn

_SEPARATORS = re.compile(r"[ .\-]")
_CARD = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-59]|[689][0-9])[0-9]{11,16}"  # Diners Club
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}"  # Discover, RuPay, Elo
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}|(?:2131|1800)[0-9]{11}"  # JCB
    r"|(?:62|81)[0-9]{14,17}"  # UnionPay
    r"|220[0-4][0-9]{12,15}"  # Mir
    r"|9792[0-9]{12}"  # Troy
    r"|1(?:220|354|920)[0-9]{11}"  # UATP
    r"|(?:5[06-8]|6[0-9])[0-9]{10,14}"  # Maestro, Elo, Hipercard, Verve
    r"|(?:50(?:18|20|38)|5893|6304|67(?:59|6[1-3]|71))[0-9]{13,15}"  # Maestro beyond 16 digits
)
_TRACK = re.compile(r"(?:%?[Bb]|;)?([0-9]{12,19})[\^=]")
_COUNTRIES = frozenset(
    "AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA CD CF CG "
    "CH CI CK CL CM CN CO CR CU CV CW CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FK FO FR GA GB GD GE GF GG GH GI GL "
    "GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA "
    "LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MQ MR MS MT MU MV MW MX MY MZ NA NC NE NG NI NL NO "
    "NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SK SL SM SN SO SR SS "
    "ST SV SX SY SZ TC TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW".split()
)


def _card(text: str) -> int:
    """An issuer's first digits, a length it uses, and the Luhn check; not one digit over and over."""
    digits = _SEPARATORS.sub("", text)
    good = _CARD.fullmatch(digits) and len(set(digits)) > 1 and luhn.is_valid(digits)
    return len(text) if good else 0


def _track(text: str) -> int:
    """The data of a magnetic stripe: its card number is one."""
    found = _TRACK.match(text)
    return len(text) if found and _card(found[1]) else 0


def _bic(text: str) -> int:
    """Four letters of the bank, a country, two of the place, perhaps three of the branch."""
    return len(text) if text[4:6].upper() in _COUNTRIES else 0


def _various(text: str) -> int:
    """More than two different digits: placeholders like 0000000 or 1111-1111 have fewer."""
    return len(text) if len({c for c in text if c.isdigit()}) > 2 else 0


VALIDATORS: dict[str, Callable[[str], int]] = {
    "card": _card,
    "card.track": _track,
    "bic": _bic,
    "various": _various,
}
"""Names of rules' validators → functions."""
