"""Checks of telephone numbers: numbering plans of the `phonenumbers` library, and what people write that it refuses.

Numbers kept for fiction (555 in North America) belong to nobody, yet where they stand real ones will stand: accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, partial

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberDesc

_DIGITS = re.compile(r"[0-9]")
_PLAIN = re.compile(r"[0-9 ().\-/]*")
_SEPARATED = re.compile(r"[0-9)][ .()/\-]+[0-9]")
_FICTION = re.compile(r"1?(?:555[0-9]{7}|[2-9][0-9]{2}555[0-9]{4})")
_PLAN = re.compile(r"1?[2-9][0-8][0-9][2-9](?!11)[0-9]{6}")
_NOT_A_PHONE = re.compile(
    r"(?:19|20)[0-9]{2}[./\-][0-9]{1,2}[./\-][0-9]{1,2}"  # dates
    r"|[0-9]{1,2}[./\-][0-9]{1,2}[./\-](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}[01][0-9][0-3][0-9]"
    r"|1[5-9][0-9]{8}(?:[0-9]{3})?"  # seconds and milliseconds since 1970
    r"|[0-9]+\.[0-9]+"
    r"|[0-9]{1,3}(?:\.[0-9]{1,3}){3}"  # IPv4
    r"|([0-9])(?:[^0-9]*\1)+"  # one digit over and over
)

_OF_A_PLAN = "fixed_line mobile toll_free premium_rate shared_cost voip personal_number pager uan voicemail"
_KINDS = tuple(_OF_A_PLAN.split())
_ZERO = "GB DE FR IT NL AU IN BE CH AT SE IE FI NZ ZA TR IL JP KR UA RO"
_WHOLE = 9
TRUNK_ZERO = tuple(_ZERO.split())
"""Regions whose national numbers are written with a leading zero."""
ANYWHERE = (
    *TRUNK_ZERO,
    *("US", "ES", "BR", "PT", "PL", "CZ", "DK", "NO", "MX", "CN", "SG", "HK", "RU", "GR", "AR", "CL", "CO"),
)


def _digits(text: str) -> str:
    return "".join(_DIGITS.findall(text))


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def _is_valid(text: str, region: str | None) -> bool:
    number = _parsed(text, region)
    return number is not None and phonenumbers.is_valid_number(number)


def _is_national(text: str, regions: Iterable[str]) -> bool:
    """Valid as dialled in one of them. The library takes some 30 µs to say no for a region; a look at its plan, one."""
    plain = _PLAIN.fullmatch(text) is not None
    digits = _digits(text) if plain else ""
    return any(_is_valid(text, region) for region in regions if not plain or _may_be_of(region)(digits))


def _is_with_code(digits: str) -> bool:
    """Valid behind a `+`: digits that begin with a country code."""
    beginnings = (int(f"0{digits[:length]}") for length in (1, 2, 3))
    code = next((code for code in beginnings if code in COUNTRY_CODE_TO_REGION_CODE), None)
    if code is None:
        return False
    return _may_be_of(COUNTRY_CODE_TO_REGION_CODE[code][0])(digits) and _is_valid("+" + digits, None)


@cache
def _may_be_of(region: str) -> Callable[[str], bool]:
    """Whether the library may find digits valid as dialled in the region, with the country code or without it; of most
    others it says no.

    A prefix for other countries may lead anywhere. From the other digits the library takes the country code and trunk
    prefixes; valid is what some kind of number of some region with this country code then lets through. Where a trunk
    prefix is replaced by something, nothing is known of that.
    """
    metadata = PhoneMetadata.metadata_for_region(region)
    code = metadata.country_code if metadata else None
    if metadata is None or code is None or metadata.national_prefix_transform_rule is not None:
        return lambda _digits: True
    trunk = metadata.national_prefix_for_parsing
    start = f"(?:{code})?(?:{trunk}){{0,2}}" if trunk else f"(?:{code})?"
    plans = [found for each in COUNTRY_CODE_TO_REGION_CODE[code] if (found := PhoneMetadata.metadata_for_region(each))]
    alike = (f"{start}(?:{'|'.join(of(plans))})\\Z" for of in (_roughly, _exactly))
    patterns = (f"(?:{metadata.international_prefix})|{dialled}" for dialled in alike)
    roughly, exactly = (cache(partial(re.compile, pattern)) for pattern in patterns)  # the exact ones are long
    return lambda digits: roughly().match(digits) is not None and exactly().match(digits) is not None


def _roughly(plans: Iterable[PhoneMetadata]) -> Iterable[str]:
    """The patterns of all national numbers there."""
    return dict.fromkeys(_pattern_of(plan.general_desc) or "[0-9]*" for plan in plans)


def _exactly(plans: Iterable[PhoneMetadata]) -> Iterable[str]:
    """The patterns of each kind of number there: what is of none is not valid."""
    return dict.fromkeys(
        pattern for plan in plans for kind in _KINDS if (pattern := _pattern_of(getattr(plan, kind)))
    ) or ["[0-9]*"]


def _pattern_of(numbers: PhoneNumberDesc | None) -> str | None:
    return numbers.national_number_pattern if numbers else None


def _international(text: str) -> int:
    """`+` or `00` and a country code: valid, or of a possible length and written in groups."""
    digits = _digits(text)
    number = _parsed("+" + (digits if text.startswith("+") else digits[2:]), None)
    if number is None:
        return 0
    grouped = _SEPARATED.search(text) is not None
    good = phonenumbers.is_valid_number(number) or (grouped and phonenumbers.is_possible_number(number))
    return len(text) if good else 0


def _north_american(text: str) -> int:
    """By its form: samples use area codes that nobody has."""
    digits = _digits(text.lower().partition("x")[0].partition("e")[0]).removeprefix(
        "00"
    )  # an extension: `x12`, `ext. 12`
    return len(text) if _FICTION.fullmatch(digits) or _PLAN.fullmatch(digits) else 0


def _national(*regions: str) -> Callable[[str], int]:
    """As written in one of `regions`, with all of its digits: nine at least."""

    def check(text: str) -> int:
        return len(text) if len(_digits(text)) >= _WHOLE and _is_national(text, regions) else 0

    return check


def _near_a_word(text: str) -> int:
    """Beside a word like `phone`: a number of some country, with or without its code."""
    if _NOT_A_PHONE.fullmatch(text):
        return 0
    digits = _digits(text)
    good = _FICTION.fullmatch(digits) or _is_with_code(digits) or _is_national(digits, ANYWHERE)
    return len(text) if good else 0


def _under_a_key(text: str) -> int:
    """The whole value of a key like `phone`: as many digits as a telephone number may have."""
    return len(text) if 7 <= len(_digits(text)) <= 15 and not _NOT_A_PHONE.fullmatch(text) else 0


VALIDATORS: dict[str, Callable[[str], int]] = {
    "phone.international": _international,
    "phone.us": _north_american,
    "phone.fr": _national("FR"),
    "phone.br": _national("BR"),
    "phone.ru": _national("RU"),
    "phone.es": _national("ES"),
    "phone.national": _national(*TRUNK_ZERO),
    "phone.near": _near_a_word,
    "phone.key": _under_a_key,
}
"""Names of rules' validators → functions."""
