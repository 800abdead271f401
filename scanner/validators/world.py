"""Checks of Asia's, Oceania's and Africa's numbers: how many of a matched text's leading
characters are accepted, 0 for none."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_uppercase, digits

from stdnum.au import acn, tfn
from stdnum.cn import uscc

from scanner.validators import documents
from scanner.validators.arithmetic import is_date, is_short_date, luhn, of_bare, same_digits, weighted

_CHINESE_PROVINCES = frozenset(
    str(code)
    for codes in (
        range(11, 16),
        range(21, 24),
        range(31, 38),
        range(41, 47),
        range(50, 55),
        range(61, 66),
        (71, 81, 82, 83),
    )
    for code in codes
)
_SINGAPOREAN_SERIES = {
    "S": (0, "JZIHGFEDCBA"),
    "T": (4, "JZIHGFEDCBA"),
    "F": (0, "XWUTRQPNMLK"),
    "G": (4, "XWUTRQPNMLK"),
    "M": (3, "XWUTRQPNJLK"),
}
_BASE_36 = digits + ascii_uppercase
_TAIWANESE_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
"""In the order of their codes, from 10 on."""


def is_ric(number: str) -> bool:
    """China's resident identity: province, birth date and a check character modulo 11 (ISO 7064)."""
    weights = [pow(2, 17 - place, 11) for place in range(17)]
    expected = "10X98765432"[weighted(number[:17], weights) % 11]
    born = is_date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    return number[:2] in _CHINESE_PROVINCES and born and number[17] == expected


def is_uscc(number: str) -> bool:
    """China's unified social credit code: kind of body, a region of a known province, and a check character."""
    return number[2:4] in _CHINESE_PROVINCES | {"10"} and bool(uscc.is_valid(number))


def is_hkid(number: str) -> bool:
    """Hong Kong's identity card: one or two letters, six digits, a check character modulo 11."""
    values = [36] * (9 - len(number)) + [_BASE_36.index(c) for c in number[:-1]]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return "0123456789A"[-total % 11] == number[-1]


def is_taiwanese_id(number: str) -> bool:
    """Taiwan's identity card or resident certificate: a letter, nine digits (or, till 2020, a second letter)."""
    code = _TAIWANESE_LETTERS.index(number[0]) + 10
    second = number[1] if number[1].isdigit() else str(_TAIWANESE_LETTERS.index(number[1]) % 10)
    return (weighted(f"{code}{second}{number[2:]}", (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def _is_born(number: str) -> bool:
    century = {"9": 1800, "0": 1800, "1": 1900, "2": 1900, "5": 1900, "6": 1900}.get(number[6], 2000)
    return is_date(century + int(number[:2]), int(number[2:4]), int(number[4:6]))


def _rrn_remainder(number: str) -> int:
    return weighted(number[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11


def is_rrn(number: str) -> bool:
    """Korea's resident registration number: birth date, century and sex, place, serial and check digit."""
    return _is_born(number) and (11 - _rrn_remainder(number)) % 10 == int(number[12])


def is_frn(number: str) -> bool:
    """Korea's foreigner registration number: the same with another check digit."""
    return _is_born(number) and (13 - _rrn_remainder(number)) % 10 == int(number[12])


def is_unchecked_rrn(number: str) -> bool:
    """The same of the living: numbers issued since October 2020 have no check digit."""
    return _is_born(number) and (number[6] not in "09" or is_rrn(number))


def is_korean_brn(number: str) -> bool:
    """Korea's business registration: ten digits, the last a check digit modulo 10."""
    total = weighted(number[:9], (1, 3, 7, 1, 3, 7, 1, 3, 5)) + int(number[8]) * 5 // 10
    return -total % 10 == int(number[9]) and number[:3] > "100" and not same_digits(number)


def is_sg_nric(number: str) -> bool:
    """Singapore's identity card or foreigner number: series, seven digits, a check letter of the series."""
    offset, letters = _SINGAPOREAN_SERIES[number[0]]
    return letters[(weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + offset) % 11] == number[8]


def is_old_lk_nic(number: str) -> bool:
    """Sri Lanka's old identity card: year and day of birth (raised by 500 for women), serial, V or X."""
    return 1 <= int(number[2:5]) % 500 <= 366


def is_lk_nic(number: str) -> bool:
    """Sri Lanka's identity card of twelve digits: full year and day of birth (raised by 500 for women), serial."""
    return "1900" <= number[:4] <= "2030" and 1 <= int(number[4:7]) % 500 <= 366 and int(number[4:7]) < 867


def is_cccd(number: str) -> bool:
    """Vietnam's citizen identity: province (001 to 096), century and sex, year, serial."""
    return 1 <= int(number[:3]) <= 96 and number[3] in "0123"


def is_kz_iin(number: str) -> bool:
    """Kazakhstan's individual number: birth date, century and sex, serial, a check digit modulo 11 in two rounds."""
    first = weighted(number[:11], range(1, 12)) % 11
    second = weighted(number[:11], (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % 11
    return is_short_date(number) and number[6] in "0123456" and (first if first < 10 else second) == int(number[11])


def is_ir_id(number: str) -> bool:
    """Iran's national code: nine digits and a check digit modulo 11."""
    rest = weighted(number[:9], range(10, 1, -1)) % 11
    return (rest if rest < 2 else 11 - rest) == int(number[9]) and not same_digits(number)


def is_emirates_id(number: str) -> bool:
    """The Emirates' identity card: 784, year of birth, serial, Luhn's formula."""
    return number[:3] == "784" and "1900" <= number[3:7] <= "2099" and luhn(number)


def is_sa_id(number: str) -> bool:
    """A Saudi citizen's (1) or resident's (2) number: ten digits by Luhn's formula."""
    return number[0] in "12" and luhn(number) and not same_digits(number)


def is_kw_id(number: str) -> bool:
    """Kuwait's civil number: century, birth date, serial, a check digit modulo 11."""
    check = 11 - weighted(number[:11], (2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11
    return number[0] in "123" and is_short_date(number[1:7]) and check == int(number[11])


def is_eg_nid(number: str) -> bool:
    """Egypt's national number: century, birth date, governorate, serial and check digit (its formula is not public)."""
    born = is_date(1700 + 100 * int(number[0]) + int(number[1:3]), int(number[3:5]), int(number[5:7]))
    return number[0] in "23" and born and (1 <= int(number[7:9]) <= 35 or number[7:9] == "88")


def is_za_id(number: str) -> bool:
    """South Africa's identity number: birth date, sex, citizenship (0 to 2), Luhn's formula."""
    return is_short_date(number) and number[10] in "012" and luhn(number)


def is_plain_tfn(number: str) -> bool:
    """An Australian tax file number that is no round amount."""
    return bool(tfn.is_valid(number)) and not number.endswith("000")


def is_plain_acn(number: str) -> bool:
    """An Australian company number of the older half, which no amount looks like: with a leading zero."""
    return number[0] == "0" and number[:6] != "000000" and bool(acn.is_valid(number))


VALIDATORS: dict[str, Callable[[str], int]] = {
    **documents.VALIDATORS,
    "cn.ric": of_bare(is_ric),
    "cn.uscc": of_bare(is_uscc),
    "hk.id": of_bare(is_hkid),
    "tw.id": of_bare(is_taiwanese_id),
    "kr.rrn": of_bare(is_rrn),
    "kr.rrn_in_context": of_bare(is_unchecked_rrn),
    "kr.frn": of_bare(is_frn),
    "kr.brn": of_bare(is_korean_brn),
    "sg.nric": of_bare(is_sg_nric),
    "lk.nic_old": of_bare(is_old_lk_nic),
    "lk.nic": of_bare(is_lk_nic),
    "vn.cccd": of_bare(is_cccd),
    "kz.iin": of_bare(is_kz_iin),
    "ir.id": of_bare(is_ir_id),
    "ae.id": of_bare(is_emirates_id),
    "sa.id": of_bare(is_sa_id),
    "kw.id": of_bare(is_kw_id),
    "eg.nid": of_bare(is_eg_nid),
    "za.id": of_bare(is_za_id),
    "au.tfn_alone": of_bare(is_plain_tfn),
    "au.acn_alone": of_bare(is_plain_acn),
}
